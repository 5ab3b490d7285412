"""What came while somebody waited for something else, and which criteria it failed."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.domain.message import MessageQuery, MessageSummary
from mailkeep.domain.query import Header, Query, Term, Words
from mailkeep.mail.search_clauses import clauses_of
from mailkeep.storage import messages, search_index
from mailkeep.storage.search_blocks import unpack

MAX_NEAR_MISSES: Final = 10


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A message that was not asked for: for another address, or without what these terms of the search ask for.

    `terms` are numbers in `Query.terms`.
    """

    message: MessageSummary
    wrong_address: bool
    terms: tuple[int, ...]


async def near_misses(
    connection: AsyncConnection, account_id: str, query: MessageQuery, *, until: int, matched: Collection[int]
) -> tuple[NearMiss, ...]:
    """Of the messages after `query.after` and up to the seq `until`, the newest that are not in `matched`."""
    newest = await messages.page(
        connection,
        account_id,
        MessageQuery(after=query.after, before=until + 1, limit=MAX_NEAR_MISSES + len(matched)),
    )
    others = [message for message in newest if message.seq not in matched][:MAX_NEAR_MISSES]
    failed = await _failed(connection, account_id, query.search, [message.seq for message in others])
    misses = [
        NearMiss(
            message,
            wrong_address=query.address_id is not None and message.address_id != query.address_id,
            terms=tuple(sorted(failed.get(message.seq, ()))),
        )
        for message in others
    ]
    # One that fails nothing any more was marked as read, or as unread, in the meantime.
    return tuple(miss for miss in misses if miss.wrong_address or miss.terms)


async def _failed(
    connection: AsyncConnection, account_id: str, search: Query, seqs: Sequence[int]
) -> dict[int, set[int]]:
    """seq → the numbers of the terms that it does not meet."""
    failed: dict[int, set[int]] = {seq: set() for seq in seqs}
    if not seqs or not search.terms:
        return failed
    words = {number: term for number, term in enumerate(search.terms) if isinstance(term, Words | Header)}
    states = {number: term for number, term in enumerate(search.terms) if not isinstance(term, Words | Header)}
    if states:
        verdicts = await messages.verdicts(connection, account_id, seqs, list(states.values()))
        for seq, met in verdicts.items():
            failed[seq] |= {number for number, is_met in zip(states, met, strict=True) if not is_met}
    if words:
        entries = await search_index.entries_of(connection, account_id, seqs)
        for seq, numbers in (await asyncio.to_thread(_without, words, entries)).items():
            failed[seq] |= numbers
    return failed


def _without(words: Mapping[int, Term], entries: Mapping[int, bytes]) -> dict[int, set[int]]:
    """seq → the numbers of the terms whose words it has not, or has when it must not."""
    clauses = {number: clauses_of(Query((term,))) for number, term in words.items()}
    return {
        seq: {number for number, clause in clauses.items() if not clause.accept(text)}
        for seq, text in ((seq, unpack(entry)) for seq, entry in entries.items())
    }
