"""Answering a search: the index names the messages, in the order of the page, and the page is filled from them.

Blocks say which messages have a word. Where words must stand next to each other, and for messages that are in no
block yet, the messages' entries decide. Every statement names the account first.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.domain.message import MessagePage, MessageQuery, MessageSummary
from mailkeep.mail.search_clauses import Clause, Clauses, clauses_of
from mailkeep.storage import accounts, messages, search_index
from mailkeep.storage.search_blocks import BLOCK, MARK, block_of, bucket_of, slots_in, unpack

# The newest blocks answer most searches; one that goes on takes more at a time.
FIRST_BLOCKS: Final = 4
MAX_BLOCKS: Final = 64
# So many messages are looked at together: about a page at first, more when they do not fill it.
FIRST_CANDIDATES: Final = 64
MAX_CANDIDATES: Final = 256
# Entries that one page looks into. A search that is not done by then goes on with the next page.
MAX_EXAMINED: Final = 10_000
# Messages that one page of a search without words passes over: their rows are read to be judged.
MAX_PASSED: Final = 50_000


@dataclass(frozen=True, slots=True)
class Candidates:
    """Messages that may match, newest first; those in `unsure` only if their entry says so."""

    seqs: Sequence[int]
    unsure: Collection[int]


async def find_page(connection: AsyncConnection, account_id: str, query: MessageQuery) -> MessagePage:
    """A page can hold fewer messages than its limit and have a next one all the same: see MAX_EXAMINED, MAX_PASSED."""
    # What arrives from here on is left to the next question, so that the cursor is exact.
    newest = await accounts.message_seq(connection, account_id)
    last = newest if query.before is None else min(newest, query.before - 1)
    wanted = replace(query, before=last + 1, limit=query.limit + 1)
    clauses = clauses_of(query.search)
    if clauses:
        search = _Search(connection, account_id, clauses, ascending=query.goes_up)
        found, stopped_at = await search.fill(wanted)
    else:
        wanted, stopped_at = _bounded(wanted, ascending=query.goes_up)
        found = await messages.page(connection, account_id, wanted, ascending=query.goes_up)
    items = found[: query.limit]
    more = items[-1].seq if len(found) > query.limit else stopped_at
    if not query.goes_up:
        return MessagePage(items, more, max(last, 0))
    return MessagePage(items[::-1], more, max(last, query.after or 0) if more is None else more)


def _bounded(query: MessageQuery, *, ascending: bool) -> tuple[MessageQuery, int | None]:
    """The part of a search without words that one page looks through, and where it stops; None: at the end."""
    first, last = (query.after or 0) + 1, (query.before or 0) - 1
    if not query.search.terms or last - first < MAX_PASSED:
        return query, None
    if ascending:
        return replace(query, before=first + MAX_PASSED), first + MAX_PASSED - 1
    return replace(query, after=last - MAX_PASSED), last - MAX_PASSED + 1


class _Search:
    def __init__(self, connection: AsyncConnection, account_id: str, clauses: Clauses, *, ascending: bool) -> None:
        self._connection = connection
        self._account_id = account_id
        self._clauses = clauses
        self._ascending = ascending
        self._buckets = {MARK, *map(bucket_of, clauses.words())}
        self._size = FIRST_CANDIDATES
        self._examined = 0

    async def fill(self, query: MessageQuery) -> tuple[list[MessageSummary], int | None]:
        """At most `query.limit` messages, and where the search stopped if it was too long for one page."""
        found: list[MessageSummary] = []
        async for candidates in self._candidates(query):
            for some in self._some(candidates.seqs[::-1] if self._ascending else candidates.seqs):
                seqs = await self._verified(some, candidates.unsure)
                found += await self._messages(replace(query, limit=query.limit - len(found)), seqs)
                if len(found) >= query.limit:
                    return found, None
                if self._examined >= MAX_EXAMINED:
                    return found, some[-1]
        return found, None

    async def _messages(self, query: MessageQuery, seqs: Sequence[int]) -> list[MessageSummary]:
        if not seqs:
            return []
        return await messages.page(self._connection, self._account_id, query, seqs=seqs, ascending=self._ascending)

    def _some(self, seqs: Sequence[int]) -> Iterator[Sequence[int]]:
        while seqs:
            yield seqs[: self._size]
            seqs, self._size = seqs[self._size :], min(2 * self._size, MAX_CANDIDATES)

    async def _candidates(self, query: MessageQuery) -> AsyncIterator[Candidates]:
        newest = await messages.latest_seq(self._connection, self._account_id, address_id=query.address_id)
        newest = newest if query.before is None else min(newest, query.before - 1)
        oldest = 1 if query.after is None else query.after + 1
        if oldest > newest:
            return
        for first, last in _ranges(block_of(oldest), block_of(newest), ascending=self._ascending):
            async for candidates in self._in_blocks(first, last):
                yield replace(candidates, seqs=[seq for seq in candidates.seqs if oldest <= seq <= newest])

    async def _in_blocks(self, first: int, last: int) -> AsyncIterator[Candidates]:
        made = await search_index.blocks_between(
            self._connection, self._account_id, self._buckets, first=first, last=last
        )
        found = await asyncio.to_thread(_look_up, self._clauses, made)
        for block in range(first, last + 1) if self._ascending else range(last, first - 1, -1):
            # The entries decide where there is no block; no message is there twice, or in neither.
            everything = range(block * BLOCK + BLOCK - 1, block * BLOCK - 1, -1)
            yield found.get(block) or Candidates(everything, everything)

    async def _verified(self, seqs: Sequence[int], unsure: Collection[int]) -> list[int]:
        questions = [seq for seq in seqs if seq in unsure]
        if not questions:
            return list(seqs)
        entries = await search_index.entries_of(self._connection, self._account_id, questions)
        self._examined += len(entries)
        accepted = await asyncio.to_thread(_accepted, self._clauses, entries)
        return [seq for seq in seqs if seq not in unsure or seq in accepted]


def _ranges(first: int, last: int, *, ascending: bool) -> Iterator[tuple[int, int]]:
    """All blocks from `first` to `last`, some at a time and then more, beginning with the last or the first."""
    count = FIRST_BLOCKS
    while first <= last:
        if ascending:
            yield first, min(last, first + count - 1)
            first += count
        else:
            yield max(first, last - count + 1), last
            last -= count
        count = min(2 * count, MAX_BLOCKS)


def _accepted(clauses: Clauses, entries: Mapping[int, bytes]) -> set[int]:
    return {seq for seq, entry in entries.items() if clauses.accept(unpack(entry))}


def _look_up(clauses: Clauses, blocks: Mapping[int, Mapping[int, bytes]]) -> dict[int, Candidates]:
    """Block → its candidates, of the blocks that have been made."""
    return {
        block: _in_block(block, clauses, {bucket: unpack(words) for bucket, words in rows.items()})
        for block, rows in blocks.items()
        if MARK in rows
    }


def _in_block(block: int, clauses: Clauses, rows: Mapping[int, str]) -> Candidates:
    slots, unsure = set(range(BLOCK)), set[int]()
    for clause in clauses.required:
        slots &= _slots(clause, rows)
    for clause in clauses.excluded:
        if clause.is_phrase:
            unsure |= _slots(clause, rows)
        else:
            slots -= _slots(clause, rows)
    if any(clause.is_phrase for clause in clauses.required):
        unsure = slots
    start = block * BLOCK
    return Candidates(
        seqs=[start + slot for slot in sorted(slots, reverse=True)], unsure={start + slot for slot in unsure}
    )


def _slots(clause: Clause, rows: Mapping[int, str]) -> set[int]:
    """Of the messages that have all words of the clause, in fields that count."""
    return set.intersection(*(slots_in(rows, word, clause.letters) for word in clause.words))
