"""Server-sent events (HTML, section 9.2): what the API's stream and that of the open inbox have in common."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import structlog
from aiohttp import hdrs, web

from mailkeep.bootstrap import Core
from mailkeep.domain.scope import Actor, Scope
from mailkeep.errors import NotAuthenticated, Unavailable
from mailkeep.services.waiting import deadline_after
from mailkeep_api.auth import actor_of
from mailkeep_api.patience import ServerStopping, while_serving
from mailkeep_api.problems import FieldError
from mailkeep_api.schemas.shapes import MAX_SEQ
from mailkeep_api.validation import invalid

MEDIA_TYPE: Final = "text/event-stream"
HEARTBEAT_S: Final = 15  # proxies and browsers give up on a connection that is silent for longer than a minute
LOOK_AROUND_S: Final = 1.0  # how long credentials that are revoked may still be believed
RETRY_MS: Final = 2000
MAX_WRITE_S: Final = 60  # a client that takes nothing for so long is not there

log: structlog.stdlib.BoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Event:
    """`data` is one line. `id` is the seq that a client which comes again has seen."""

    name: str
    id: int
    data: str

    def encoded(self) -> str:
        return f"event: {self.name}\nid: {self.id}\ndata: {self.data}\n\n"


class Source(Protocol):
    """Where events come from."""

    @property
    def cursor(self) -> int:
        """The seq up to which all events have been given."""

    async def next(self, *, timeout_s: float) -> Sequence[Event]:
        """The next ones, in their order: as soon as there are any; none after `timeout_s`. Raises Unavailable."""


def last_event_id(request: web.Request) -> int | None:
    """What the client has seen, where it says so. Raises RequestProblem (422) for what is no id of ours."""
    text = request.headers.get("Last-Event-ID", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= MAX_SEQ):
        raise invalid(FieldError("Last-Event-ID", "int_parsing", "must be the id of an event"))
    return int(text)


async def still_holds(core: Core, credentials: str, actor: Actor, scope: Scope) -> bool:
    """Whether the credentials that a stream began with are in force, and still those of `actor`."""
    try:
        now = await actor_of(core, credentials)
    except NotAuthenticated:
        return False
    return now.account_id == actor.account_id and scope in now.scopes


async def send_events(
    request: web.Request, source: Source, *, is_valid: Callable[[], Awaitable[bool]], farewell: str = ""
) -> web.StreamResponse:
    """Until the client leaves, the server stops, or the credentials are no longer valid: then with a farewell."""
    response = web.StreamResponse(headers={hdrs.CONTENT_TYPE: MEDIA_TYPE, "X-Accel-Buffering": "no"})
    await response.prepare(request)
    if request.method == "HEAD":
        return response
    try:
        await response.write(f"retry: {RETRY_MS}\nid: {source.cursor}\n\n".encode())
        await _Stream(request, response, source).run(is_valid, farewell)
    except (ConnectionError, TimeoutError, ServerStopping):
        return response  # the client went away, which is how most streams end, or we do
    except Unavailable as error:
        log.warning("events.unavailable", reason=type(error).__name__)  # the client comes again: see RETRY_MS
    return response


class _Stream:
    def __init__(self, request: web.Request, response: web.StreamResponse, source: Source) -> None:
        self._request = request
        self._response = response
        self._source = source

    async def run(self, is_valid: Callable[[], Awaitable[bool]], farewell: str) -> None:
        unchecked_s, silent_s = deadline_after(LOOK_AROUND_S), deadline_after(HEARTBEAT_S)
        while True:
            events = await while_serving(self._request, self._source.next(timeout_s=LOOK_AROUND_S))
            if unchecked_s() <= 0:
                if not await is_valid():
                    await self._write(farewell)
                    return
                unchecked_s = deadline_after(LOOK_AROUND_S)
            if events:
                await self._write("".join(event.encoded() for event in events))
            elif silent_s() <= 0:
                # An id without data is no event, but is remembered: what did not match is not looked at again.
                await self._write(f": still here\nid: {self._source.cursor}\n\n")
            else:
                continue
            silent_s = deadline_after(HEARTBEAT_S)

    async def _write(self, text: str) -> None:
        async with asyncio.timeout(MAX_WRITE_S):
            await while_serving(self._request, self._response.write(text.encode()))
