"""The transaction that makes deliveries visible: many at once, and none hurt by its neighbour."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, timedelta
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.domain.structure import MimePart
from mailkeep.domain.tier import Tier
from mailkeep.domain.usage import UsageDay
from mailkeep.errors import MailkeepError, NotFound, Unavailable
from mailkeep.services import hints, ledgers
from mailkeep.services.group_commit import GroupCommit
from mailkeep.services.hints import Hints
from mailkeep.services.search_indexer import SearchIndexer
from mailkeep.storage import accounts, contents, messages, search_index, usage_daily
from mailkeep.storage.accounts import Ledger
from mailkeep.storage.contents import Content
from mailkeep.storage.database import Database
from mailkeep.storage.messages import NewMessage

log: structlog.stdlib.BoundLogger = structlog.get_logger()

Outcome = Exception | None

# What a transaction fails with on account of what is in it. ValueError: a driver that cannot even write it down.
REFUSALS: Final = (MailkeepError, SQLAlchemyError, ValueError)
# Postfix gives a mail up after five days (maximal_queue_lifetime): a day later no second delivery can come.
REMEMBERED: Final = timedelta(days=6)
# What a part adds to the tree that is stored, about.
_PART_BYTES: Final = 200


@dataclass(slots=True)
class Unit:
    """One delivery: a content whose blobs are durable, and a message for each recipient."""

    content: Content
    messages: Sequence[NewMessage]
    content_stored: bool = field(default=False)


class DeliveryBatches:
    """Stores deliveries in group commits."""

    def __init__(
        self, database: Database, hints: Hints, indexer: SearchIndexer, *, tier_of: Callable[[str], Tier]
    ) -> None:
        self._database = database
        self._hints = hints
        self._indexer = indexer
        self._tier_of = tier_of
        self._crossed = False
        self._completed = False
        self._group: GroupCommit[Unit, list[Outcome]] = GroupCommit(self._commit, weigh=_weight)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with self._group.running():
            yield

    async def store(self, unit: Unit) -> list[Outcome]:
        """One outcome a message, in order: None when it is visible, or was already. Does not raise."""
        try:
            return await self._group.submit(unit)
        except Unavailable as error:
            return [error] * len(unit.messages)

    async def _commit(self, batch: Sequence[Unit]) -> list[list[Outcome]]:
        """All in one transaction; when that fails, each message in one of its own."""
        started = time.monotonic()
        try:
            await self._store(batch)
        except Unavailable as error:
            log.warning("ingest.unavailable", reason=type(error).__name__, deliveries=len(batch))
            # An engine that hangs is not asked again for those who have waited as long.
            self._group.refuse_waiting(error)
            return [[error] * len(unit.messages) for unit in batch]
        except REFUSALS as error:
            log.warning("ingest.batch_failed", reason=type(error).__name__, deliveries=len(batch))
            return [[await self._store_one(unit, message) for message in unit.messages] for unit in batch]
        commit_ms = round((time.monotonic() - started) * 1000, 1)
        log.info("ingest.committed", deliveries=len(batch), commit_ms=commit_ms)
        return [[None] * len(unit.messages) for unit in batch]

    async def _store_one(self, unit: Unit, message: NewMessage) -> Outcome:
        """A message that the database refuses is stored without its words: no sender is to retry it for days."""
        refused = await self._attempt(unit, message)
        if refused is None or isinstance(refused, MailkeepError):
            return refused
        if not unit.content_stored:
            unit.content = contents.without_words(unit.content)
        return await self._attempt(unit, messages.without_words(message))

    async def _attempt(self, unit: Unit, message: NewMessage) -> Outcome:
        alone = Unit(unit.content, [message], content_stored=unit.content_stored)
        try:
            await self._store([alone])
        except REFUSALS as error:
            log.error("ingest.failed", reason=type(error).__name__, content_id=unit.content.id)  # noqa: TRY400  its text may hold mail
            return error
        unit.content_stored = alone.content_stored
        return None

    async def _store(self, batch: Sequence[Unit]) -> None:
        """Raises DatabaseUnavailable and what the engine says of a statement; nothing is stored then."""
        async with self._database.write() as connection:
            placed = await self._placed(connection, [message for unit in batch for message in unit.messages])
            used = {message.content_id for message, _, _ in placed}
            new = [unit for unit in batch if unit.content.id in used and not unit.content_stored]
            if new:
                await contents.add_all(connection, [unit.content for unit in new])
            if placed:
                await messages.add_all(connection, placed)
                await search_index.add_entries(connection, placed)
                await usage_daily.add(connection, [_used(message) for message, _, _ in placed])
        for unit in new:
            unit.content_stored = True
        if self._completed:
            self._completed = False
            self._indexer.wake()
        if self._crossed:
            self._crossed = False
            self._hints.notify(hints.RECIPIENTS)
        for account_id in {message.account_id for message, _, _ in placed}:
            self._hints.notify(hints.mail_for(account_id))

    async def _placed(self, connection: AsyncConnection, batch: Sequence[NewMessage]) -> list[messages.Placed]:
        """The messages that are new, each with its seq and its time of expiry; advances the accounts' ledgers."""
        before = await accounts.lock(connection, {message.account_id for message in batch})
        since = batch[0].received_at - REMEMBERED
        seen = await messages.delivered_already(connection, batch, since=since)
        after, placed = dict(before), list[messages.Placed]()
        for message in batch:
            key = message.address_id, message.delivery_key
            if key in seen:
                continue
            seen.add(key)
            ledger = after.get(message.account_id)
            if ledger is None:
                raise NotFound("the account is gone")
            after[ledger.id] = ledger = _advanced(ledger, message)
            keep = timedelta(days=self._tier_of(ledger.tier).retention_days)
            placed.append((message, ledger.message_seq, message.received_at + keep))
        await self._save(connection, before, after)
        return placed

    async def _save(self, connection: AsyncConnection, before: dict[str, Ledger], after: dict[str, Ledger]) -> None:
        for account_id, ledger in after.items():
            if ledger != before[account_id]:
                quota = self._tier_of(ledger.tier).storage_bytes
                self._crossed |= await ledgers.save(connection, before[account_id], ledger, quota_bytes=quota)
                self._completed |= await self._indexer.queue_completed(connection, before[account_id], ledger)


def _advanced(ledger: Ledger, message: NewMessage) -> Ledger:
    return replace(ledger, message_seq=ledger.message_seq + 1, storage_bytes=ledger.storage_bytes + message.size_bytes)


def _used(message: NewMessage) -> tuple[str, UsageDay]:
    day = message.received_at.astimezone(UTC).date()
    return message.account_id, UsageDay(day, messages=1, bytes=message.size_bytes)


def _weight(unit: Unit) -> int:
    """The bytes of a delivery that go into the database, but for what is small."""
    content = unit.content
    entries = sum(len(message.entry) for message in unit.messages)
    headers = sum(len(name) + len(value) for name, value in content.headers)
    return len(content.text or "") + len(content.html or "") + headers + entries + _weight_of(content.structure)


def _weight_of(structure: MimePart | None) -> int:
    parts = structure.walk() if structure is not None else ()
    return sum(_PART_BYTES + len(part.filename) + len(part.message.text if part.message else "") for part in parts)
