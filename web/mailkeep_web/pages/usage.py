"""/usage: what the account uses of what its tier gives, and what came in by day."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from mailkeep.domain.usage import storage_share
from mailkeep_api.problems import MALFORMED, RequestProblem
from mailkeep_web.plots import plots
from mailkeep_web.routing import Routes
from mailkeep_web.visit import MemberVisit

routes: Final = Routes()

SPANS: Final = {"7": "7 days", "30": "30 days", "90": "90 days", "365": "a year"}
_USUAL: Final = "30"


@routes.member("GET", "/usage", audit="usage.view")
async def show(visit: MemberVisit) -> web.StreamResponse:
    """Raises RequestProblem (400) for a span that the page does not offer."""
    span = visit.request.query.get("days", _USUAL)
    if span not in SPANS:
        raise RequestProblem(MALFORMED)
    usage = await visit.core.usage.of(visit.actor, days=int(span))
    context = {
        "usage": usage,
        "storage_share": storage_share(usage.account, usage.tier),
        "plots": plots(usage.days),
        "spans": SPANS,
        "span": span,
    }
    return await visit.member_page("usage.html", context)
