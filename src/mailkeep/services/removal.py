"""Removing messages: the rows in one transaction with the account's ledger, the bytes after it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.domain.clock import Clock
from mailkeep.domain.message import MessageSummary
from mailkeep.domain.scope import Actor, Scope
from mailkeep.domain.tier import Tier
from mailkeep.services import hints, ledgers
from mailkeep.services.as_seen import require_as_seen
from mailkeep.services.audit import AuditTrail
from mailkeep.services.blob_removal import BlobRemoval
from mailkeep.services.hints import Hints
from mailkeep.services.search_indexer import SearchIndexer
from mailkeep.storage import accounts, blob_deletions, contents, messages
from mailkeep.storage.database import Database


class MessageRemoval:
    """Removes messages of one account, with what only they refer to: contents, blobs, their part of the index."""

    def __init__(
        self,
        database: Database,
        trail: AuditTrail,
        blobs: BlobRemoval,
        hints: Hints,
        indexer: SearchIndexer,
        *,
        tier_of: Callable[[str], Tier],
        clock: Clock,
    ) -> None:
        self._database = database
        self._trail = trail
        self._blobs = blobs
        self._hints = hints
        self._indexer = indexer
        self._tier_of = tier_of
        self._clock = clock

    async def remove(
        self,
        actor: Actor,
        message_ids: Collection[str],
        *,
        action: str,
        resource: str = "",
        seen: MessageSummary | None = None,
    ) -> int:
        """Returns how many were there. A call with many takes long: a hundred make a good transaction.

        `action` and `resource` are what the audit log calls it. `seen`: what the caller believes one of
        them to be. Raises NotAllowed, PreconditionFailed, NotFound when the account was deleted meanwhile.
        """
        account_id = actor.owner(Scope.MESSAGES_WRITE)
        async with self._database.write() as connection:
            if seen is not None:
                await require_as_seen(connection, account_id, seen)
            removed, crossed, keys = await self._remove_rows(connection, account_id, message_ids)
            if removed:
                await self._trail.write(connection, actor, action, resource=resource, detail=f"messages={removed}")
        if crossed:
            self._hints.notify(hints.RECIPIENTS)
        await self._blobs.remove(keys)
        return removed

    async def _remove_rows(
        self, connection: AsyncConnection, account_id: str, message_ids: Collection[str]
    ) -> tuple[int, bool, list[str]]:
        """How many, whether the account passed its quota, and the keys of the blobs that nobody needs any more."""
        ledger = await accounts.lock_one(connection, account_id)
        found = await messages.sizes_of(connection, account_id, message_ids)
        if not found:
            return 0, False, []
        await self._indexer.queue_deleted(connection, ledger, [message.seq for message in found])
        await messages.remove(connection, account_id, [message.id for message in found])
        freed = sum(message.size_bytes for message in found)
        after = replace(ledger, storage_bytes=max(0, ledger.storage_bytes - freed))
        crossed = await ledgers.save(connection, ledger, after, quota_bytes=self._tier_of(ledger.tier).storage_bytes)
        keys = await contents.remove_unused(connection, {message.content_id for message in found})
        await blob_deletions.queue(connection, keys, now=self._clock())
        return len(found), crossed, keys
