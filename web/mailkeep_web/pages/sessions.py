"""/settings/sessions: where one is logged in, and how to end it."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from mailkeep_web.routing import Routes
from mailkeep_web.visit import MemberVisit, see_other

routes: Final = Routes()


@routes.member("GET", "/settings/sessions", audit="session.list")
async def show(visit: MemberVisit) -> web.StreamResponse:
    page, before = await visit.core.sessions.list(visit.actor, before=visit.id("before"))
    context = {
        "sessions": page,
        "next_before": before,
        "current_id": visit.actor.session_id,
        "done": visit.request.query.get("done"),
    }
    return await visit.member_page("sessions.html", context)


@routes.member("POST", "/settings/sessions/{session_id}/end", audit="session.close")
async def end(visit: MemberVisit) -> web.StreamResponse:
    await visit.core.sessions.end(visit.actor, visit.request.match_info["session_id"])
    return see_other("/settings/sessions?done=ended")


@routes.member("POST", "/settings/sessions/end-others", audit="session.close_all")
async def end_others(visit: MemberVisit) -> web.StreamResponse:
    await visit.core.sessions.end_all(visit.actor, own_too=False)
    return see_other("/settings/sessions?done=ended-others")
