"""/docs/api: the reference of the API, made from its own description."""

from __future__ import annotations

import json
from typing import Final

from aiohttp import web

from mailkeep_api.keys import OPENAPI
from mailkeep_web.reference import Reference, reference_of
from mailkeep_web.routing import Routes, session_user
from mailkeep_web.visit import Visit

routes: Final = Routes()

REFERENCE: Final = web.AppKey("reference", Reference)


def read_reference(app: web.Application) -> Reference:
    """What the page shows, made once: the description does not change while the program runs."""
    return reference_of(json.loads(app[OPENAPI]))


@routes.public("GET", "/docs/api", audit="page.reference")
async def reference(visit: Visit) -> web.StreamResponse:
    context = {"reference": visit.request.app[REFERENCE], "user": await session_user(visit)}
    return visit.page("reference.html", context)
