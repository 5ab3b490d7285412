"""Files that machines look for at a fixed place: security.txt (RFC 9116) and robots.txt (RFC 9309)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from aiohttp import web

from mailkeep.config import Settings
from mailkeep.errors import NotFound
from mailkeep_web.routing import Routes
from mailkeep_web.visit import Visit

routes: Final = Routes()

SECURITY_TXT: Final = "/.well-known/security.txt"
# All else is somebody's own, or for programs: a page that is added is kept from crawlers unless it is named here.
_FOR_CRAWLERS: Final = ("/$", "/pricing$", "/privacy$", "/terms$", "/docs/api$", "/login$", "/register$", "/static/")


@routes.public("GET", SECURITY_TXT, audit="page.security")
async def security_txt(visit: Visit) -> web.StreamResponse:
    site = visit.settings.site
    if site.security_expires is None:
        raise NotFound("nobody is named whom to tell")
    return _text(_security_lines(visit.settings, site.security_expires))


@routes.public("GET", "/robots.txt", audit="page.robots")
async def robots_txt(visit: Visit) -> web.StreamResponse:  # noqa: ARG001  the same for everybody
    return _text(("User-agent: *", *(f"Allow: {path}" for path in _FOR_CRAWLERS), "Disallow: /"))


def _security_lines(settings: Settings, expires: datetime) -> Iterator[str]:
    yield f"Contact: {settings.site.security_contact}"
    yield f"Expires: {expires.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    yield "Preferred-Languages: en"
    if settings.public_url.startswith("https://"):  # RFC 9116 section 2.5.2
        yield f"Canonical: {settings.public_url}{SECURITY_TXT}"


def _text(lines: Iterator[str] | tuple[str, ...]) -> web.Response:
    text = "".join(f"{line}\n" for line in lines)
    headers = {"Cache-Control": "public, max-age=300"}
    return web.Response(text=text, content_type="text/plain", charset="utf-8", headers=headers)
