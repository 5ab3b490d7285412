"""Emptying accounts that were deleted: in small transactions, from wherever the last one got to.

What is left to do is what is in the tables, so a process that is killed leaves nothing undone that the next one would
not find. An account stays in the queue for a while after it is empty: a request that was under way when it was
deleted may have written something since.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from mailkeep.domain.clock import Clock
from mailkeep.services.blob_removal import BlobRemoval
from mailkeep.services.rounds import Rounds
from mailkeep.storage import account_deletions, account_rows, accounts, blob_deletions, contents, messages
from mailkeep.storage.account_deletions import Deletion
from mailkeep.storage.database import Database

log: structlog.stdlib.BoundLogger = structlog.get_logger()

LOOK_S: Final = 60  # for what another process has queued, or left
MESSAGES_AT_ONCE: Final = 100
ROWS_AT_ONCE: Final = 500
ACCOUNTS_AT_ONCE: Final = 100
# Longer than any transaction that began before the deletion.
LINGERS: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Purged:
    """What a round did: messages removed, accounts that are done with, accounts to be looked at again in a minute."""

    messages: int = 0
    finished: int = 0
    pending: int = 0


class AccountPurge:
    """Works through the queue. Any number of processes may: an account is locked while something of it is removed."""

    def __init__(self, database: Database, blobs: BlobRemoval, *, clock: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._clock = clock
        # What cannot be removed now stays in the queue.
        self._rounds = Rounds("purge", self.work_off, every_s=LOOK_S, at_once=True)

    def running(self) -> AbstractAsyncContextManager[None]:
        """Empties accounts while the block lasts; the transaction under way is finished."""
        return self._rounds.running()

    def wake(self) -> None:
        """An account was queued, and that is committed."""
        self._rounds.wake()

    async def work_off(self, progress: Callable[[int], None] = lambda _: None) -> Purged:
        """Empty every account in the queue; `progress` is told how many messages are gone.

        Raises DatabaseUnavailable, StorageUnavailable; what is done stays done.
        """
        removed = finished = pending = 0
        after = ""
        while batch := await self._pending(after):
            for deletion in batch:
                async for count in self._empty(deletion.account_id):
                    removed += count
                    progress(removed)
                if self._rounds.closing:
                    return Purged(removed, finished, pending)
                is_over = self._clock() >= deletion.deleted_at + LINGERS
                finished, pending = finished + is_over, pending + (not is_over)
                if is_over:
                    await self._finish(deletion.account_id)
            after = batch[-1].account_id
        await self._blobs.work_off()
        return Purged(removed, finished, pending)

    async def _pending(self, after: str) -> list[Deletion]:
        async with self._database.read() as connection:
            return await account_deletions.pending(connection, after=after, limit=ACCOUNTS_AT_ONCE)

    async def _empty(self, account_id: str) -> AsyncGenerator[int, None]:
        """Gives how many messages each transaction removed."""
        while not self._rounds.closing and (count := await self._remove_messages(account_id)):
            yield count
        for table in account_rows.ERASED:
            full = True
            while full and not self._rounds.closing:
                async with self._database.write() as connection:
                    await accounts.lock_deleted(connection, account_id)
                    full = await account_rows.erase(connection, table, account_id, limit=ROWS_AT_ONCE) == ROWS_AT_ONCE

    async def _remove_messages(self, account_id: str) -> int:
        async with self._database.write() as connection:
            await accounts.lock_deleted(connection, account_id)
            found = await messages.oldest(connection, account_id, limit=MESSAGES_AT_ONCE)
            if not found:
                return 0
            await messages.remove(connection, account_id, [message.id for message in found])
            keys = await contents.remove_unused(connection, {message.content_id for message in found})
            await blob_deletions.queue(connection, keys, now=self._clock())
        await self._blobs.remove(keys)
        return len(found)

    async def _finish(self, account_id: str) -> None:
        async with self._database.write() as connection:
            await account_deletions.done(connection, account_id)
        log.info("account.emptied", account_id=account_id)
