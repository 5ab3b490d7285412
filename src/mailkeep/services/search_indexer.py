"""Making the blocks of the search index: beside the receiving of mail, which never waits for it or fails with it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.domain.clock import Clock
from mailkeep.services.rounds import Rounds
from mailkeep.storage import accounts, search_index
from mailkeep.storage.accounts import Ledger
from mailkeep.storage.database import Database
from mailkeep.storage.search_blocks import block_of, build_block, complete_blocks
from mailkeep.storage.search_index import QueuedBlock

LOOK_S: Final = 60  # for what another process has queued, or one that is gone
AT_ONCE: Final = 20
# A block whose messages go one by one is made anew once, not each time. Nobody finds what is deleted meanwhile.
FORGET_AFTER: Final = timedelta(hours=1)


class SearchIndexer:
    """Works through the queue of blocks. Any number of processes may run one: an account is locked while it changes."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        # A block that cannot be made stays in the queue: what is not in a block is found by its entry.
        self._rounds = Rounds("search", self.work_off, every_s=LOOK_S)

    def running(self) -> AbstractAsyncContextManager[None]:
        """Makes blocks while the block of code lasts; the one under way is finished."""
        return self._rounds.running()

    def wake(self) -> None:
        """Something was queued, and that is committed."""
        self._rounds.wake()

    async def queue_completed(self, connection: AsyncConnection, before: Ledger, after: Ledger) -> bool:
        """Queue the blocks that get no more messages, in the transaction that stores the last of them."""
        blocks = range(complete_blocks(before.message_seq), complete_blocks(after.message_seq))
        await search_index.queue(connection, after.id, blocks, due_at=self._clock())
        return bool(blocks)

    async def queue_deleted(self, connection: AsyncConnection, ledger: Ledger, seqs: Iterable[int]) -> None:
        """Have the deleted messages' words forgotten, in the transaction that deletes them; `ledger` is locked."""
        complete = complete_blocks(ledger.message_seq)
        blocks = {block_of(seq) for seq in seqs if block_of(seq) < complete}
        await search_index.queue(connection, ledger.id, blocks, due_at=self._clock() + FORGET_AFTER)

    async def work_off(self) -> int:
        """Make all blocks that are due; returns how many. Raises DatabaseUnavailable."""
        made = 0
        while queued := await self._due():
            for one in queued:
                await self._make(one)
                made += 1
                if self._rounds.closing:
                    return made
        return made

    async def _due(self) -> Sequence[QueuedBlock]:
        async with self._database.read() as connection:
            return await search_index.due(connection, self._clock(), limit=AT_ONCE)

    async def _make(self, queued: QueuedBlock) -> None:
        """Built before the account is locked; when its messages have changed meanwhile, it stays in the queue."""
        account_id, (first, last) = queued.account_id, search_index.seqs_of(queued.block)
        async with self._database.read() as connection:
            entries = await search_index.entries_between(connection, account_id, first, last)
        rows = await asyncio.to_thread(build_block, entries)
        async with self._database.write() as connection:
            ledger = (await accounts.lock(connection, [account_id])).get(account_id)
            if ledger is not None and queued.block < complete_blocks(ledger.message_seq):
                if await search_index.seqs_between(connection, account_id, first, last) != set(entries):
                    return
                await search_index.replace_block(connection, account_id, queued.block, rows)
            await search_index.done(connection, queued)
