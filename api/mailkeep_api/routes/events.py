"""/events: messages as they arrive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aiohttp import web

from mailkeep.domain.message import MessageQuery
from mailkeep.domain.scope import Scope
from mailkeep.services.watching import MessageWatch
from mailkeep_api.auth import bearer_credentials
from mailkeep_api.cors import allowed_origin
from mailkeep_api.event_stream import MEDIA_TYPE, Event, last_event_id, send_events, still_holds
from mailkeep_api.origin import refuse_other_sites
from mailkeep_api.routing import Call, Raw, Routes
from mailkeep_api.schemas.messages import EventsQuery, MessageItem

routes: Final = Routes("/api/v1/events", tag="messages")

AT_ONCE: Final = 100  # messages in one write


@routes.get(
    "",
    scope=Scope.MESSAGES_READ,
    audit="message.stream",
    query=EventsQuery,
    returns=Raw((MEDIA_TYPE,)),
    problems=("not-found",),
)
async def stream_messages(call: Call, query: EventsQuery) -> web.StreamResponse:
    """Server-sent events: a `message` for each message that arrives, in the order of arrival.

    `id` is the message's `seq`, `data` is the message as in a list. The stream begins after the message that
    `Last-Event-ID` or else `after` names, without a gap, and without either of them now. Every 15 seconds of silence
    there is a comment. It ends when the server stops, and within about a second when the token or the session is
    revoked. A request from a page of another site is refused, unless `http.cors_origins` names that site.
    """
    if allowed_origin(call.request) is None:
        refuse_other_sites(call.request, call.settings)
    seen = last_event_id(call.request)
    search = call.core.inbox.understand(query.q)
    address_id = await call.core.addresses.id_of(call.actor, query.address) if query.address is not None else None
    wanted = MessageQuery(address_id=address_id, search=search, after=query.after if seen is None else seen)
    credentials = bearer_credentials(call.request) or ""

    async def is_valid() -> bool:
        return await still_holds(call.core, credentials, call.actor, Scope.MESSAGES_READ)

    async with call.core.waits.watch(call.actor, wanted) as watch:
        return await send_events(call.request, _Messages(watch), is_valid=is_valid)


class _Messages:
    def __init__(self, watch: MessageWatch) -> None:
        self._watch = watch

    @property
    def cursor(self) -> int:
        return self._watch.cursor

    async def next(self, *, timeout_s: float) -> Sequence[Event]:
        found = await self._watch.next(limit=AT_ONCE, timeout_s=timeout_s)
        return [
            Event("message", message.seq, MessageItem.of(message).model_dump_json(by_alias=True)) for message in found
        ]
