"""Many messages of a customer at once: marked and removed, a hundred a transaction."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from mailkeep.domain.clock import Clock
from mailkeep.domain.message import MessageQuery
from mailkeep.domain.scope import Actor, Scope
from mailkeep.services.audit import AuditTrail
from mailkeep.services.removal import MessageRemoval
from mailkeep.services.search import find_page
from mailkeep.storage import accounts, messages
from mailkeep.storage.database import Database

BATCH: Final = 100


class Bulk:
    """Changes the messages that are named, or all that a query finds. What is not there, or another's, is left out.

    Of a query, `address_id`, `search` and `before` count; what arrives after the call began is never among its
    messages. Each method returns how many messages it changed, and raises NotAllowed, and Unavailable when it got stuck
    on the way: ask again for the rest.
    """

    def __init__(self, database: Database, trail: AuditTrail, removal: MessageRemoval, *, clock: Clock) -> None:
        self._database = database
        self._trail = trail
        self._removal = removal
        self._clock = clock

    async def set_read(self, actor: Actor, message_ids: Sequence[str], *, read: bool) -> int:
        return await self._set_read(actor, _batches(message_ids), "message.update_selected", read=read)

    async def set_read_found(self, actor: Actor, query: MessageQuery, *, read: bool) -> int:
        """Those that were so already are counted too."""
        found = self._found(actor.owner(Scope.MESSAGES_WRITE), query)
        return await self._set_read(actor, found, "message.update_found", read=read)

    async def delete(self, actor: Actor, message_ids: Sequence[str]) -> int:
        return await self._delete(actor, _batches(message_ids), "message.delete_selected")

    async def delete_found(self, actor: Actor, query: MessageQuery) -> int:
        found = self._found(actor.owner(Scope.MESSAGES_WRITE), query)
        return await self._delete(actor, found, "message.delete_found")

    async def _set_read(self, actor: Actor, batches: AsyncIterator[Sequence[str]], action: str, *, read: bool) -> int:
        account_id = actor.owner(Scope.MESSAGES_WRITE)
        read_at = self._clock() if read else None
        marked = 0
        async for batch in batches:
            marked += await self._mark(actor, account_id, batch, action, read_at=read_at)
        return marked

    async def _mark(
        self, actor: Actor, account_id: str, batch: Sequence[str], action: str, *, read_at: datetime | None
    ) -> int:
        async with self._database.write() as connection:
            marked = await messages.set_all_read(connection, account_id, batch, read_at=read_at)
            detail = f"messages={marked} {'unread' if read_at is None else 'read'}"
            await self._trail.write(connection, actor, action, detail=detail)
        return marked

    async def _delete(self, actor: Actor, batches: AsyncIterator[Sequence[str]], action: str) -> int:
        removed = 0
        async for batch in batches:
            removed += await self._removal.remove(actor, batch, action=action)
        return removed

    async def _found(self, account_id: str, query: MessageQuery) -> AsyncIterator[Sequence[str]]:
        """The ids of what a query finds now, some at a time, the newest first."""
        async with self._database.read() as connection:
            before: int | None = await accounts.message_seq(connection, account_id) + 1
        if query.before is not None and before is not None:
            before = min(before, query.before)
        while before is not None:
            async with self._database.read() as connection:
                page = await find_page(connection, account_id, replace(query, before=before, limit=BATCH))
            if page.items:
                yield [message.id for message in page.items]
            before = page.more


async def _batches(message_ids: Sequence[str]) -> AsyncIterator[Sequence[str]]:
    for start in range(0, len(message_ids), BATCH):
        yield message_ids[start : start + BATCH]
