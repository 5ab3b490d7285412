"""/api/internal/recipients: the feed from which mxd knows every address."""

from __future__ import annotations

import asyncio
from typing import Final

from mailkeep.domain.recipient import RecipientChanges
from mailkeep.domain.scope import Scope
from mailkeep_api.keys import STOPPING
from mailkeep_api.routing import Call, Routes
from mailkeep_api.schemas.recipients import RecipientOut, RecipientsOut, RecipientsQuery

routes: Final = Routes("/api/internal/recipients", tag="internal")


@routes.get("", scope=Scope.POLICY, audit="recipients.read", query=RecipientsQuery, returns=RecipientsOut)
async def get_recipients(call: Call, query: RecipientsQuery) -> RecipientsOut:
    """Changes after a cursor, tombstones included; `after=0` is a snapshot, page by page, without them.

    With `wait` it is a long poll. A cursor in the answer that is smaller than `after`: start again from 0.
    """
    changes = await _until_stopping(call, query)
    return RecipientsOut(
        items=tuple(map(RecipientOut.of, changes.recipients)), cursor=changes.cursor, more=changes.more
    )


async def _until_stopping(call: Call, query: RecipientsQuery) -> RecipientChanges:
    """What `changes` gives; nothing new, at once, when the server stops in the meantime."""
    poll = asyncio.ensure_future(
        call.core.recipients.changes(call.actor, query.after, wait_s=query.wait, limit=query.limit)
    )
    stopping = asyncio.ensure_future(call.request.app[STOPPING].wait())
    try:
        await asyncio.wait((poll, stopping), return_when=asyncio.FIRST_COMPLETED)
        if poll.done():
            return poll.result()
        return RecipientChanges(recipients=(), cursor=query.after, more=False)
    finally:
        for task in (poll, stopping):
            task.cancel()
        await asyncio.gather(poll, stopping, return_exceptions=True)
