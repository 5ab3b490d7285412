"""/pricing, /privacy, /terms: what anybody may know before there is an account, and members as well."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from mailkeep.errors import NotFound
from mailkeep_web.routing import Routes, session_user
from mailkeep_web.visit import Visit

routes: Final = Routes()


@routes.public("GET", "/pricing", audit="page.pricing")
async def pricing(visit: Visit) -> web.StreamResponse:
    if not visit.settings.offers:
        raise NotFound("there is one tier, and nothing to choose")
    return await _page(visit, "pricing.html")


@routes.public("GET", "/privacy", audit="page.privacy")
async def privacy(visit: Visit) -> web.StreamResponse:
    return await _page(visit, "privacy.html")


@routes.public("GET", "/terms", audit="page.terms")
async def terms(visit: Visit) -> web.StreamResponse:
    return await _page(visit, "terms.html")


async def _page(visit: Visit, template: str) -> web.Response:
    return visit.page(template, {"user": await session_user(visit)})
