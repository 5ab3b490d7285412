"""/inbox/events: server-sent events that tell an open inbox of new mail. An event's id is a message's seq."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aiohttp import web

from mailkeep.domain.scope import Scope
from mailkeep.services.arrivals import Progress
from mailkeep_api.event_stream import Event, last_event_id, send_events, still_holds
from mailkeep_api.origin import refuse_other_sites
from mailkeep_web.routing import Routes
from mailkeep_web.visit import MemberVisit

routes: Final = Routes()


@routes.member("GET", "/inbox/events", audit="message.events")
async def events(visit: MemberVisit) -> web.StreamResponse:
    """Ends when the browser leaves, when the session ends, and at once when the server stops."""
    refuse_other_sites(visit.request, visit.settings)
    after = await _start(visit)

    async def is_logged_in() -> bool:
        return await still_holds(visit.core, visit.token, visit.actor, Scope.MESSAGES_READ)

    async with visit.core.waits.progress(visit.actor) as progress:
        return await send_events(
            visit.request, _NewMail(progress, after), is_valid=is_logged_in, farewell="event: logout\ndata:\n\n"
        )


class _NewMail:
    """One event for all that came since the last one: the page fetches the rows itself."""

    def __init__(self, progress: Progress, after: int) -> None:
        self._progress = progress
        self.cursor = after

    async def next(self, *, timeout_s: float) -> Sequence[Event]:
        if not await self._progress.past(self.cursor, timeout_s=timeout_s):
            return ()
        self.cursor = self._progress.seq
        return (Event("mail", self.cursor, str(self.cursor)),)


async def _start(visit: MemberVisit) -> int:
    """The seq after which mail is new: where the browser lost us, else what its page showed, else now."""
    seen = last_event_id(visit.request)
    after = visit.seq("after") if seen is None else seen
    return await visit.core.inbox.latest_seq(visit.actor) if after is None else after
