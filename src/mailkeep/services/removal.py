"""Removing messages: the rows in one transaction with the account's ledger, the bytes after it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

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
from mailkeep.storage.accounts import Ledger
from mailkeep.storage.database import Database
from mailkeep.storage.messages import StoredSize


@dataclass(frozen=True, slots=True)
class Removed:
    """What a transaction removed. `crossed`: the account passed its quota; `blob_keys`: bytes that nobody needs."""

    count: int = 0
    size_bytes: int = 0
    crossed: bool = False
    blob_keys: Sequence[str] = ()


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
            ledger = await accounts.lock_one(connection, account_id)
            found = await messages.sizes_of(connection, account_id, message_ids)
            removed = await self.remove_rows(connection, ledger, found)
            if removed.count:
                detail = f"messages={removed.count}"
                await self._trail.write(connection, actor, action, resource=resource, detail=detail)
        await self.after_commit(removed)
        return removed.count

    async def remove_rows(self, connection: AsyncConnection, ledger: Ledger, found: Sequence[StoredSize]) -> Removed:
        """Remove messages of an account whose `ledger` is locked; call `after_commit` with what this returns."""
        if not found:
            return Removed()
        account_id = ledger.id
        await self._indexer.queue_deleted(connection, ledger, [message.seq for message in found])
        await messages.remove(connection, account_id, [message.id for message in found])
        freed = sum(message.size_bytes for message in found)
        after = replace(ledger, storage_bytes=max(0, ledger.storage_bytes - freed))
        crossed = await ledgers.save(connection, ledger, after, quota_bytes=self._tier_of(ledger.tier).storage_bytes)
        keys = await contents.remove_unused(connection, {message.content_id for message in found})
        await blob_deletions.queue(connection, keys, now=self._clock())
        return Removed(len(found), freed, crossed, keys)

    async def after_commit(self, removed: Removed) -> None:
        """Tell the door, remove the bytes. Raises StorageUnavailable, DatabaseUnavailable; they stay queued then."""
        if removed.crossed:
            self._hints.notify(hints.RECIPIENTS)
        await self._blobs.remove(removed.blob_keys)
