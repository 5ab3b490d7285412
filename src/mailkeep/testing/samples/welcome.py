"""The mail that `mailkeep mail send` sends when it is given none."""

from __future__ import annotations

from email.message import EmailMessage
from email.utils import format_datetime, make_msgid

from mailkeep.domain.clock import utc_now

_TEXT = """\
Hello!

This mail came in over SMTP, was parsed while it arrived, and is stored on disk.
You see its safe view; the other tabs show the text, the headers, the attachment and
the source, byte for byte as it was received.
"""
_HTML = """\
<html><head><style>h1 { color: teal }</style></head><body>
<h1>Hello!</h1>
<p>This mail came in over <strong>SMTP</strong>, was parsed while it arrived, and is stored on disk.</p>
<p>Its HTML is <em>sanitised when it is shown</em>. This one carries a script, a remote image and a link that
runs code. None of them reached you:</p>
<ul><li>a script</li><li>a tracking pixel</li><li><a href="javascript:alert(1)">a link</a></li></ul>
<script>document.title = "this never runs"</script>
<img src="https://tracker.example.org/open.gif" width="1" height="1" onerror="alert(1)">
<p>A link that is what it says: <a href="https://www.rfc-editor.org/rfc/rfc5321">RFC 5321</a>.</p>
</body></html>
"""


def welcome_mail() -> bytes:
    """A mail with text, HTML that tries something, and an attachment; new on each call."""
    message = EmailMessage()
    message["From"] = "Mailkeep <welcome@example.org>"
    message["To"] = "You <you@example.org>"
    message["Subject"] = "Welcome to Mailkeep ✉"
    message["Date"] = format_datetime(utc_now())
    message["Message-ID"] = make_msgid(domain="example.org")
    message.set_content(_TEXT)
    message.add_alternative(_HTML, subtype="html")
    message.add_attachment(b"name,kept\nmail,yes\n", maintype="text", subtype="csv", filename="example.csv")
    return message.as_bytes()
