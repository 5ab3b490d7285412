"""/inbox/events: server-sent events that tell an open inbox of new mail. An event's id is a message's seq."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog
from aiohttp import hdrs, web

from mailkeep.errors import NotAuthenticated, RateExceeded, Unavailable
from mailkeep.services.waiting import deadline_after
from mailkeep_api.auth import actor_of
from mailkeep_api.keys import STOPPING
from mailkeep_web.origin import refuse_other_sites
from mailkeep_web.routing import Routes
from mailkeep_web.visit import MAX_SEQ, MemberVisit

routes: Final = Routes()

HEARTBEAT_S: Final = 15  # proxies and browsers give up on a connection that is silent for longer than a minute
LOOK_AROUND_S: Final = 1
RETRY_MS: Final = 2000
MAX_STREAMS: Final = 20  # of one account, in this process
STREAMS: Final[web.AppKey[Counter[str | None]]] = web.AppKey("streams", Counter)

log: structlog.stdlib.BoundLogger = structlog.get_logger()


@routes.member("GET", "/inbox/events", audit="message.events")
async def events(visit: MemberVisit) -> web.StreamResponse:
    """Ends when the browser leaves, when the session ends, and at once when the server stops."""
    refuse_other_sites(visit.request, visit.settings)
    with _counted(visit):
        return await _stream(visit, await _start(visit))


async def _stream(visit: MemberVisit, after: int) -> web.StreamResponse:
    response = web.StreamResponse(headers={hdrs.CONTENT_TYPE: "text/event-stream", "X-Accel-Buffering": "no"})
    await response.prepare(visit.request)
    if visit.request.method == "HEAD":
        return response
    try:
        await response.write(f"retry: {RETRY_MS}\nid: {after}\n\n".encode())
        await _tell(visit, response, after)
    except ConnectionError:
        return response  # the browser went away, which is how most streams end
    except Unavailable as error:
        log.warning("events.unavailable", reason=type(error).__name__)  # the browser comes again: see RETRY_MS
    return response


@contextmanager
def _counted(visit: MemberVisit) -> Iterator[None]:
    """Raises RateExceeded: each stream is a connection, and a look at the database every second."""
    streams, account_id = visit.request.app[STREAMS], visit.actor.account_id
    if streams[account_id] >= MAX_STREAMS:
        raise RateExceeded("too many open streams", retry_after_s=HEARTBEAT_S)
    streams[account_id] += 1
    try:
        yield
    finally:
        streams[account_id] -= 1
        if not streams[account_id]:
            del streams[account_id]


async def _start(visit: MemberVisit) -> int:
    """The seq after which mail is new: where the browser lost us, else what its page showed, else now."""
    last_event_id = visit.request.headers.get("Last-Event-ID", "")
    if last_event_id.isascii() and last_event_id.isdigit() and len(last_event_id) < 20:
        return min(int(last_event_id), MAX_SEQ)
    after = visit.seq("after")
    return await visit.core.inbox.latest_seq(visit.actor) if after is None else after


async def _tell(visit: MemberVisit, response: web.StreamResponse, after: int) -> None:
    stopping = visit.request.app[STOPPING]
    silent_for_s = deadline_after(HEARTBEAT_S)
    while not stopping.is_set():
        _require_reader(visit.request)
        if not await _newer(visit, after):
            if silent_for_s() > 0:
                continue
            await response.write(b": still here\n\n")
        else:
            after = max(after, await visit.core.inbox.latest_seq(visit.actor))  # the newest may be deleted by now
            await response.write(f"event: mail\nid: {after}\ndata: {after}\n\n".encode())
        if not await _is_logged_in(visit):
            await response.write(b"event: logout\ndata:\n\n")
            return
        silent_for_s = deadline_after(HEARTBEAT_S)


def _require_reader(request: web.Request) -> None:
    """Raises ConnectionResetError when the browser has left; a write would tell, but only at the next heartbeat."""
    if request.transport is None or request.transport.is_closing():
        raise ConnectionResetError


async def _newer(visit: MemberVisit, after: int) -> bool:
    """Whether mail newer than `after` came before it was time to look around, or to stop."""
    newer = asyncio.ensure_future(visit.core.inbox.wait_newer(visit.actor, after, timeout_s=LOOK_AROUND_S))
    stopping = asyncio.ensure_future(visit.request.app[STOPPING].wait())
    try:
        await asyncio.wait((newer, stopping), return_when=asyncio.FIRST_COMPLETED)
        return newer.done() and newer.result()
    finally:
        for task in (newer, stopping):
            task.cancel()
        await asyncio.gather(newer, stopping, return_exceptions=True)


async def _is_logged_in(visit: MemberVisit) -> bool:
    try:
        await actor_of(visit.core, visit.token)
    except NotAuthenticated:
        return False
    return True
