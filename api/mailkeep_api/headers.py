"""The security headers of every answer, in one table; a handler that sets one itself keeps its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from mailkeep_api.keys import REQUEST_ID

# What a customer's mail is shown under: no script, no form, no load from anywhere, an origin of its own.
HOSTILE_CONTENT_CSP: Final = "sandbox; default-src 'none'"

DEFAULTS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
SERVER: Final = "mailkeep"  # in place of aiohttp's, which names its version and Python's
STRICT_TRANSPORT_SECURITY: Final = "max-age=63072000; includeSubDomains"  # two years

PrepareSignal = Callable[[web.Request, web.StreamResponse], Awaitable[None]]


def secure_headers(*, https: bool) -> PrepareSignal:
    """A signal for `on_response_prepare`. `https`: whether browsers reach us that way."""

    async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
        response.headers["Server"] = SERVER
        for name, value in DEFAULTS.items():
            response.headers.setdefault(name, value)
        if https:
            response.headers.setdefault("Strict-Transport-Security", STRICT_TRANSPORT_SECURITY)
        if REQUEST_ID in request:
            response.headers["X-Request-Id"] = request[REQUEST_ID]

    return add_headers
