"""Mail with the EICAR test file in it, in the places where malware comes."""

from __future__ import annotations

import base64
from typing import Final

from mailkeep.mail.scan_probes import EICAR

HEAD: Final = b"From: Sue <sue@elsewhere.test>\r\nTo: you@mail.test\r\nSubject: infected\r\nMIME-Version: 1.0\r\n"
CLEAN: Final = HEAD.replace(b"infected", b"clean") + b"Content-Type: text/plain\r\n\r\nAll is well.\r\n"


def encoded(content: bytes) -> bytes:
    return base64.encodebytes(content).replace(b"\n", b"\r\n")


def multipart(*parts: bytes) -> bytes:
    """From the Content-Type on; each part with its own headers."""
    boundary = b"b%d" % sum(map(len, parts))  # one within another has another
    body = b"".join(b"--%s\r\n%s\r\n" % (boundary, part) for part in parts)
    return b"Content-Type: multipart/mixed; boundary=%s\r\n\r\n%s--%s--\r\n" % (boundary, body, boundary)


def file(name: str, content: bytes, media_type: str = "application/octet-stream") -> bytes:
    head = f'Content-Type: {media_type}\r\nContent-Disposition: attachment; filename="{name}"\r\n'
    return head.encode() + b"Content-Transfer-Encoding: base64\r\n\r\n" + encoded(content)


TEXT: Final = b"Content-Type: text/plain\r\n\r\nSee the file.\r\n"
HTML: Final = b"Content-Type: text/html\r\n\r\n<p>See the <b>file</b>.</p>\r\n"
ATTACHED: Final = HEAD + multipart(TEXT, HTML, file("bad.com", EICAR), file("good.txt", b"harmless"))
IN_BASE64_TEXT: Final = (
    HEAD
    + b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + encoded(b"Look at this:\r\n" * 20 + EICAR + b"\r\n")
)
INNER: Final = HEAD + multipart(TEXT, file("bad.com", EICAR))
NESTED: Final = HEAD + multipart(TEXT, b"Content-Type: message/rfc822\r\n\r\n" + INNER)
INFECTED: Final = {"attachment": ATTACHED, "nested message": NESTED, "base64 text": IN_BASE64_TEXT}
