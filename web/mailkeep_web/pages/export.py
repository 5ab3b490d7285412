"""/settings/export: everything that the account holds, as one file, and how far it is.

The browser saves the file by itself, so that an archive of gigabytes never has to fit into a page's memory. Its size
is not known before it is written, so what the page shows is the server's own count, by server-sent events.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from aiohttp import web

from mailkeep.domain.scope import Scope
from mailkeep.services.account_export import AccountExport
from mailkeep_api.account_archive import account_archive
from mailkeep_api.documents import send_archive
from mailkeep_api.event_stream import Event, send_events, still_holds
from mailkeep_api.origin import refuse_other_sites
from mailkeep_api.routing import Call
from mailkeep_web.routing import Routes
from mailkeep_web.visit import MemberVisit

routes: Final = Routes()

LOOK_S: Final = 0.25
BEGIN_S: Final = 10.0  # how long the page waits for a download that was clicked


@routes.member("GET", "/settings/export", audit="account.export_page")
async def show(visit: MemberVisit) -> web.StreamResponse:
    progress = visit.core.export.progress(visit.actor)
    context = {
        "expected": await visit.core.export.expected(visit.actor),
        "percent": None if progress is None else _percent(progress),
    }
    return await visit.member_page("export.html", context)


@routes.member("GET", "/settings/export/archive", audit="account.export")
async def archive(visit: MemberVisit) -> web.StreamResponse:
    """One at a time: it reads everything there is."""
    refuse_other_sites(visit.request, visit.settings)
    with visit.core.export.turn(visit.actor):
        part = await visit.core.export.part(visit.actor, after=0, limit=None)
        call = Call(core=visit.core, settings=visit.settings, actor=visit.actor, request=visit.request)
        return await send_archive(visit.request, account_archive(call, part), filename="mailkeep-export.zip")


@routes.member("GET", "/settings/export/events", audit="account.export_progress")
async def events(visit: MemberVisit) -> web.StreamResponse:
    """`progress` with a percentage, then `end`; only `end` when no export begins."""
    refuse_other_sites(visit.request, visit.settings)
    visit.core.export.progress(visit.actor)
    progress = _Progress(visit)

    async def goes_on() -> bool:
        holds = await still_holds(visit.core, visit.token, visit.actor, Scope.ACCOUNT_WRITE)
        return holds and not progress.has_ended

    return await send_events(visit.request, progress, is_valid=goes_on)


class _Progress:
    """What this process knows: an export that another one writes is not seen, and the page says nothing of it."""

    def __init__(self, visit: MemberVisit) -> None:
        self._export: AccountExport = visit.core.export
        self._actor = visit.actor
        self._begins_by = time.monotonic() + BEGIN_S
        self._has_begun = False
        self.has_ended = False
        self.cursor = 0

    async def next(self, *, timeout_s: float) -> Sequence[Event]:
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            if event := self._look():
                return (event,)
            await asyncio.sleep(LOOK_S)
        return ()

    def _look(self) -> Event | None:
        progress = self._export.progress(self._actor)
        if progress is None:
            if self.has_ended or not (self._has_begun or time.monotonic() > self._begins_by):
                return None
            self.has_ended = True
            return Event("end", self.cursor, "begun" if self._has_begun else "nothing")
        percent = _percent(progress)
        if self._has_begun and percent == self.cursor:
            return None
        self._has_begun, self.cursor = True, percent
        return Event("progress", percent, str(percent))


def _percent(share: float) -> int:
    return int(100 * share)
