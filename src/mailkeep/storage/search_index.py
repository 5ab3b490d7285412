"""search_entries, search_blocks, search_queue: the index that answers searches; the owner is in every WHERE.

An entry is written with its message. Of each BLOCK messages a block is made later: it is in the queue from the moment
that its last message is stored, and again when one of its messages is deleted. What has no block yet is found by its
entry, so a search misses nothing meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import and_, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.storage.messages import Placed, among
from mailkeep.storage.schema import counters, messages, search_blocks, search_entries, search_queue
from mailkeep.storage.search_blocks import BLOCK, BUCKETS

# Few enough that the driver does not hold the event loop up: it writes bytes into a statement slowly.
_ROWS_A_STATEMENT: Final = 16
# Migration 0004 sets it.
_TO_FILL: Final = "search_to_fill"


@dataclass(frozen=True, slots=True)
class QueuedBlock:
    account_id: str
    block: int


async def add_entries(connection: AsyncConnection, placed: Iterable[Placed]) -> None:
    """With the messages, in one transaction."""
    rows = [{"account_id": new.account_id, "seq": seq, "words": new.entry} for new, seq, _ in placed]
    await connection.execute(insert(search_entries), rows)


async def add_missing(connection: AsyncConnection, account_id: str, entries: Mapping[int, bytes]) -> None:
    """Entries by seq, of messages that have none; the account is locked, so that their messages stay."""
    missing = await seqs_without_entry(connection, account_id, min(entries) - 1, limit=len(entries))
    rows = [{"account_id": account_id, "seq": seq, "words": entries[seq]} for seq in missing if seq in entries]
    if rows:
        await connection.execute(insert(search_entries), rows)


async def entries_between(
    connection: AsyncConnection, account_id: str, first_seq: int, last_seq: int
) -> dict[int, bytes]:
    """seq → packed entry."""
    condition = search_entries.c.account_id == account_id, search_entries.c.seq.between(first_seq, last_seq)
    query = select(search_entries.c.seq, search_entries.c.words).where(*condition)
    return {row.seq: row.words for row in await connection.execute(query)}


async def entries_of(connection: AsyncConnection, account_id: str, seqs: Collection[int]) -> dict[int, bytes]:
    """seq → packed entry."""
    condition = search_entries.c.account_id == account_id, among(search_entries.c.seq, seqs)
    query = select(search_entries.c.seq, search_entries.c.words).where(*condition)
    return {row.seq: row.words for row in await connection.execute(query)}


async def seqs_between(connection: AsyncConnection, account_id: str, first_seq: int, last_seq: int) -> set[int]:
    """Of the messages with an entry."""
    condition = search_entries.c.account_id == account_id, search_entries.c.seq.between(first_seq, last_seq)
    return set((await connection.execute(select(search_entries.c.seq).where(*condition))).scalars())


async def seqs_without_entry(connection: AsyncConnection, account_id: str, after: int, *, limit: int) -> list[int]:
    """In order, of the messages after the seq `after`."""
    query = (
        select(messages.c.seq)
        .outerjoin(
            search_entries,
            and_(search_entries.c.account_id == messages.c.account_id, search_entries.c.seq == messages.c.seq),
        )
        .where(messages.c.account_id == account_id, messages.c.seq > after, search_entries.c.seq.is_(None))
        .order_by(messages.c.seq)
        .limit(limit)
    )
    return list((await connection.execute(query)).scalars())


async def blocks_between(
    connection: AsyncConnection, account_id: str, buckets: Collection[int], *, first: int, last: int
) -> dict[int, dict[int, bytes]]:
    """Block → bucket → packed words, of these buckets."""
    query = select(search_blocks.c.block, search_blocks.c.bucket, search_blocks.c.words).where(
        search_blocks.c.account_id == account_id,
        search_blocks.c.bucket.in_(sorted(buckets)),
        search_blocks.c.block.between(first, last),
    )
    found: dict[int, dict[int, bytes]] = {}
    for row in await connection.execute(query):
        found.setdefault(row.block, {})[row.bucket] = row.words
    return found


async def replace_block(connection: AsyncConnection, account_id: str, block: int, rows: Mapping[int, bytes]) -> None:
    await connection.execute(
        delete(search_blocks).where(
            search_blocks.c.account_id == account_id,
            # All there are; named, so that the primary key leads to each.
            search_blocks.c.bucket.in_(range(BUCKETS)),
            search_blocks.c.block == block,
        )
    )
    values = [
        {"account_id": account_id, "bucket": bucket, "block": block, "words": words} for bucket, words in rows.items()
    ]
    for start in range(0, len(values), _ROWS_A_STATEMENT):
        await connection.execute(insert(search_blocks), values[start : start + _ROWS_A_STATEMENT])


async def clear(connection: AsyncConnection, account_id: str) -> None:
    """Remove all that is known of an account."""
    for table in (search_entries, search_blocks, search_queue):
        await connection.execute(delete(table).where(table.c.account_id == account_id))


async def queue(connection: AsyncConnection, account_id: str, blocks: Iterable[int], *, due_at: datetime) -> None:
    """Have blocks made, or made anew; one that waits already keeps its time."""
    wanted = set(blocks)
    if not wanted:
        return
    condition = search_queue.c.account_id == account_id, search_queue.c.block.in_(wanted)
    waiting = (await connection.execute(select(search_queue.c.block).where(*condition).with_for_update())).scalars()
    rows = [{"account_id": account_id, "block": block, "due_at": due_at} for block in wanted - set(waiting)]
    if rows:
        await connection.execute(insert(search_queue), rows)


async def due(connection: AsyncConnection, now: datetime, *, limit: int) -> Sequence[QueuedBlock]:
    query = (
        select(search_queue.c.account_id, search_queue.c.block)
        .where(search_queue.c.due_at <= now)
        .order_by(search_queue.c.due_at, search_queue.c.account_id, search_queue.c.block)
        .limit(limit)
    )
    return [QueuedBlock(row.account_id, row.block) for row in await connection.execute(query)]


async def must_be_filled(connection: AsyncConnection) -> bool:
    """Whether there are messages from before there was an index."""
    query = select(counters.c.value).where(counters.c.name == _TO_FILL)
    return (await connection.execute(query)).first() is not None


async def filled(connection: AsyncConnection) -> None:
    await connection.execute(delete(counters).where(counters.c.name == _TO_FILL))


async def done(connection: AsyncConnection, queued: QueuedBlock) -> None:
    condition = search_queue.c.account_id == queued.account_id, search_queue.c.block == queued.block
    await connection.execute(delete(search_queue).where(*condition))


def seqs_of(block: int) -> tuple[int, int]:
    """The first and the last seq of a block."""
    return block * BLOCK, block * BLOCK + BLOCK - 1
