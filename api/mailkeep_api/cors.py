"""Pages of other sites that may use the API: those that `http.cors_origins` names, and no other.

CORS (Fetch, section 3.2). A page uses the API with a token that it was given. Cookies are not for other sites: there is
no Access-Control-Allow-Credentials. The pages of Mailkeep itself take no part in this.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from mailkeep_api.keys import SETTINGS

PREFIX: Final = "/api/v1/"
METHODS: Final = "GET, HEAD, POST, PATCH, PUT, DELETE"
REQUEST_HEADERS: Final = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID"
EXPOSED: Final = (
    "Content-Disposition, ETag, Idempotency-Replayed, Link, Location, RateLimit, RateLimit-Policy, Retry-After, "
    "WWW-Authenticate, X-Request-Id"
)
MAX_AGE_S: Final = 7200  # the longest that every browser takes


@web.middleware
async def cors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answers a preflight request of an origin that is allowed; every other request goes on."""
    if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers:
        return await handler(request)
    if allowed_origin(request) is None:
        return await handler(request)
    headers = {
        "Access-Control-Allow-Methods": METHODS,
        "Access-Control-Allow-Headers": REQUEST_HEADERS,
        "Access-Control-Max-Age": str(MAX_AGE_S),
    }
    return web.Response(status=204, headers=headers)


async def say_allowed(request: web.Request, response: web.StreamResponse) -> None:
    """A signal for `on_response_prepare`."""
    if not request.app[SETTINGS].http.cors_origins or not request.path.startswith(PREFIX):
        return
    response.headers.add("Vary", "Origin")
    origin = allowed_origin(request)
    if origin is not None:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = EXPOSED


def allowed_origin(request: web.Request) -> str | None:
    """The origin of the page that asks, if it is one of those named."""
    origins = request.headers.getall("Origin", [])
    if len(origins) != 1 or not request.path.startswith(PREFIX):
        return None
    return origins[0] if origins[0] in request.app[SETTINGS].http.cors_origins else None
