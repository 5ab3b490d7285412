"""The sanitised HTML of a message as a document of its own, shown in a frame of the message's page.

The frame is a sandbox twice, by its attribute and by the document's own policy, so that the document is harmless also
when it is opened by itself. Of everything that a sandbox forbids, two things are allowed: a link that the reader
clicks opens a new tab (`allow-popups`), and that tab is an ordinary one (`allow-popups-to-escape-sandbox`), because a
site that is opened without scripts and storage is broken. Scripts, forms, plugins and the top of the page stay out of
reach, and the document has an origin of its own. Links carry rel="noopener noreferrer nofollow" from the sanitiser.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Final

from aiohttp import web

from mailkeep.domain.message import SafeHtml

SANDBOX: Final = "allow-popups allow-popups-to-escape-sandbox"

# The only style there is. The policy allows it by its hash and nothing beside it.
_STYLE: Final = """
:root { color-scheme: light; }
body { margin: 1rem; background: #fff; color: #1c2024; font: 15px/1.6 system-ui, sans-serif; overflow-wrap: anywhere; }
a[href] { color: #0b6e5f; }
a:focus-visible { outline: 2px solid #0b6e5f; outline-offset: 2px; }
pre { overflow-x: auto; white-space: pre-wrap; }
pre, code { font: 13px/1.55 ui-monospace, monospace; }
h1.head { margin: 0 0 0.5rem; font-size: 1.25rem; }
dl.head { display: grid; grid-template-columns: auto 1fr; gap: 0.1rem 1rem; margin: 0 0 1.5rem; padding-bottom: 1rem;
  border-bottom: 1px solid #8d8a85; font-size: 13px; }
dl.head dt { color: #596068; }
dl.head dd { margin: 0; }
blockquote { margin: 0 0 1em; padding-left: 1em; border-left: 3px solid #e2dfd9; color: #596068; }
"""
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS: Final = {
    "Content-Security-Policy": (
        f"sandbox {SANDBOX}; default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'self'"
    ),
    "X-Frame-Options": "SAMEORIGIN",
    # A browser refuses to show a sandboxed document in a tab of its own under any other value (HTML, "navigate").
    "Cross-Origin-Opener-Policy": "unsafe-none",
    "Referrer-Policy": "no-referrer",
}


def frame_document(safe: SafeHtml, *, head: str = "") -> web.Response:
    """Nothing touches the markup after the sanitiser: it stands in the body as it came, after `head`, which is ours."""
    document = (
        '<!doctype html>\n<html lang="">\n<head><meta charset="utf-8"><title>Message</title>'
        '<meta name="viewport" content="width=device-width"><base target="_blank">'
        f"<style>{_STYLE}</style></head>\n<body>\n{head}{safe.html}\n</body>\n</html>\n"
    )
    body = document.encode("utf-8", errors="replace")
    return web.Response(body=body, content_type="text/html", charset="utf-8", headers=_HEADERS)
