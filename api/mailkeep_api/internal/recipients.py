"""/api/internal/recipients: the feed from which mxd knows every address."""

from __future__ import annotations

from typing import Final

from mailkeep.domain.recipient import RecipientChanges
from mailkeep.domain.scope import Scope
from mailkeep_api.patience import ServerStopping, while_serving
from mailkeep_api.routing import Call, Routes
from mailkeep_api.schemas.recipients import RecipientOut, RecipientsOut, RecipientsQuery

routes: Final = Routes("/api/internal/recipients", tag="internal")


@routes.get("", scope=Scope.POLICY, audit="recipients.read", query=RecipientsQuery, returns=RecipientsOut)
async def get_recipients(call: Call, query: RecipientsQuery) -> RecipientsOut:
    """Changes after a cursor, tombstones included; `after=0` is a snapshot, page by page, without them.

    With `wait` it is a long poll. A cursor in the answer that is smaller than `after`: start again from 0.
    """
    poll = call.core.recipients.changes(call.actor, query.after, wait_s=query.wait, limit=query.limit)
    try:
        changes = await while_serving(call.request, poll)
    except ServerStopping:
        changes = RecipientChanges(recipients=(), cursor=query.after, more=False)
    return RecipientsOut(
        items=tuple(map(RecipientOut.of, changes.recipients)), cursor=changes.cursor, more=changes.more
    )
