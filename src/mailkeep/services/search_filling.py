"""Filling the search index with messages that are not in it: those from before there was one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.domain.clock import Clock
from mailkeep.errors import NotFound
from mailkeep.mail.search_entry import Searchable, entry_of, with_envelope
from mailkeep.services.search_indexer import SearchIndexer
from mailkeep.storage import accounts, contents, messages, search_index
from mailkeep.storage.contents import Content
from mailkeep.storage.database import Database
from mailkeep.storage.messages import StoredWords
from mailkeep.storage.search_blocks import complete_blocks, pack

BATCH: Final = 50


class SearchFilling:
    """Goes through all accounts. What it has done stays done when it is interrupted; mail can come in meanwhile."""

    def __init__(self, database: Database, indexer: SearchIndexer, *, clock: Clock) -> None:
        self._database = database
        self._indexer = indexer
        self._clock = clock

    async def is_needed(self) -> bool:
        """Whether an upgrade left messages behind that are not in the index."""
        async with self._database.read() as connection:
            return await search_index.must_be_filled(connection)

    async def fill(self, report: Callable[[int, int], None], *, rebuild: bool) -> int:
        """Index what is not indexed, or everything anew; returns how many messages.

        `report` gets how many accounts are done, and of how many. Raises DatabaseUnavailable.
        """
        async with self._database.read() as connection:
            account_ids = await accounts.all_ids(connection)
        count = 0
        for number, account_id in enumerate(account_ids):
            report(number, len(account_ids))
            count += await self._fill_account(account_id, rebuild=rebuild)
        async with self._database.write() as connection:
            await search_index.filled(connection)
        report(len(account_ids), len(account_ids))
        return count

    async def _fill_account(self, account_id: str, *, rebuild: bool) -> int:
        if rebuild:
            async with self._database.write() as connection:
                await accounts.lock(connection, [account_id])
                await search_index.clear(connection, account_id)
        count, after = 0, 0
        while seqs := await self._missing(account_id, after):
            await self._add(account_id, seqs)
            count, after = count + len(seqs), seqs[-1]
        if count:
            await self._queue_all(account_id)
            await self._indexer.work_off()
        return count

    async def _missing(self, account_id: str, after: int) -> list[int]:
        async with self._database.read() as connection:
            return await search_index.seqs_without_entry(connection, account_id, after, limit=BATCH)

    async def _add(self, account_id: str, seqs: Sequence[int]) -> None:
        async with self._database.read() as connection:
            found = [
                (message, content)
                for message in await messages.words_of(connection, account_id, seqs)
                if (content := await _content_of(connection, message)) is not None
            ]
        entries = await asyncio.to_thread(lambda: {message.seq: _entry(message, content) for message, content in found})
        if not entries:
            return
        async with self._database.write() as connection:
            if await accounts.lock(connection, [account_id]):
                await search_index.add_missing(connection, account_id, entries)

    async def _queue_all(self, account_id: str) -> None:
        async with self._database.write() as connection:
            ledger = (await accounts.lock(connection, [account_id])).get(account_id)
            if ledger is not None:
                blocks = range(complete_blocks(ledger.message_seq))
                await search_index.queue(connection, account_id, blocks, due_at=self._clock())


async def _content_of(connection: AsyncConnection, message: StoredWords) -> Content | None:
    """None when the message was deleted meanwhile."""
    try:
        return await contents.get(connection, message.content_id)
    except NotFound:
        return None


def _entry(message: StoredWords, content: Content) -> bytes:
    searchable = Searchable(
        senders=content.senders or (message.sender,),
        recipients=(*content.to, *content.cc),
        subject=message.subject,
        headers=content.headers,
        text=content.text,
        html=content.html,
        filenames=tuple(attachment.filename for attachment in content.attachments),
    )
    return pack(with_envelope(entry_of(searchable), rcpt_to=message.rcpt_to, tag=message.tag))
