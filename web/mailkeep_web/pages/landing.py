"""/: what this is, for whoever comes by; the inbox for those who are logged in."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from mailkeep_web.next_path import HOME
from mailkeep_web.routing import Routes, is_member
from mailkeep_web.visit import Visit, see_other

routes: Final = Routes()


@routes.public("GET", "/", audit="page.landing")
async def landing(visit: Visit) -> web.StreamResponse:
    if await is_member(visit):
        return see_other(HOME)
    return visit.page("landing.html", {})
