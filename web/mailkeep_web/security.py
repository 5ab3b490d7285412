"""What a page may do in a browser. Only what differs from the table that every answer gets (mailkeep_api.headers)."""

from __future__ import annotations

from typing import Final

PAGE_HEADERS: Final = {
    # Nothing inline, nothing from elsewhere. A frame shows our own sandboxed document of a message.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    # `no-referrer` would make browsers send `Origin: null` with our own forms (Fetch, "append an Origin header").
    "Referrer-Policy": "same-origin",
}
