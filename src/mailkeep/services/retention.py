"""Retention: what has passed its `expires_at` is removed, in small transactions, from wherever the last one got to.

What is left to do is what is in the tables. What a run has removed of an account is added up in the transactions that
remove it, and becomes one receipt in the audit log in the last of them; so a run that is killed is finished by the
next one, with the same receipt. Any number of processes may run it: an account is locked while something of it goes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.config import Retention as RetentionSettings
from mailkeep.domain.clock import Clock, rfc3339
from mailkeep.domain.scope import operator
from mailkeep.services.audit import AuditTrail
from mailkeep.services.blob_removal import BlobRemoval
from mailkeep.services.refusals import Refusals
from mailkeep.services.removal import MessageRemoval, Removed
from mailkeep.services.rounds import Rounds
from mailkeep.storage import accounts, messages, retention_tallies, tier_changes, usage_daily
from mailkeep.storage.database import Database
from mailkeep.storage.retention_tallies import Tally

log: structlog.stdlib.BoundLogger = structlog.get_logger()

ACTION: Final = "message.expire"
ACCOUNTS_AT_ONCE: Final = 100
ROWS_AT_ONCE: Final = 500
# A year of plots, and some days in which nobody looks.
USAGE_KEPT: Final = timedelta(days=400)


@dataclass(slots=True)
class RetentionReport:
    """What a run did. `longest_lock_s`: of its transactions, from the lock on the account to the end of the commit."""

    accounts: int = 0
    messages: int = 0
    bytes: int = 0
    refusals: int = 0
    seconds: float = field(default=0.0, compare=False)
    longest_lock_s: float = field(default=0.0, compare=False)


class Retention:
    """Removes what has expired: now and then by itself, or when it is told to."""

    def __init__(
        self,
        database: Database,
        removal: MessageRemoval,
        blobs: BlobRemoval,
        trail: AuditTrail,
        refusals: Refusals,
        settings: RetentionSettings,
        *,
        clock: Clock,
    ) -> None:
        self._database = database
        self._removal = removal
        self._blobs = blobs
        self._trail = trail
        self._refusals = refusals
        self._settings = settings
        self._clock = clock
        # What cannot be removed now is still expired in the next round.
        self._rounds = Rounds("retention", self.run, every_s=settings.every_s, at_once=True)

    def running(self) -> AbstractAsyncContextManager[None]:
        """Runs while the block lasts, one after the other; the transaction under way is finished."""
        return self._rounds.running()

    async def count_expired(self) -> int:
        """How many messages a run would remove now. Raises DatabaseUnavailable."""
        async with self._database.read() as connection:
            return await messages.count_expired(connection, self._clock())

    async def run(self, progress: Callable[[int], None] = lambda _: None) -> RetentionReport:
        """Remove what has expired by now; `progress` is told how many messages are gone.

        Raises DatabaseUnavailable, StorageUnavailable; what is done stays done.
        """
        begun, now, report, after = time.monotonic(), self._clock(), RetentionReport(), ""
        await self._blobs.work_off()  # of a run that was killed
        while not self._rounds.closing and (page := await self._due(now, after)):
            for account_id in page:
                report.accounts += await self._work_off(account_id, now, report, progress)
            after = page[-1]
        report.refusals = await self._remove_other(now)
        report.seconds = time.monotonic() - begun
        log.info(
            "retention.finished",
            accounts=report.accounts,
            messages=report.messages,
            bytes=report.bytes,
            refusals=report.refusals,
            seconds=round(report.seconds, 1),
            longest_lock_ms=round(report.longest_lock_s * 1000, 1),
        )
        return report

    async def _due(self, now: datetime, after: str) -> list[str]:
        async with self._database.read() as connection:
            return await retention_tallies.due(connection, now, after=after, limit=ACCOUNTS_AT_ONCE)

    async def _work_off(
        self, account_id: str, now: datetime, report: RetentionReport, progress: Callable[[int], None]
    ) -> bool:
        """Whether there was something to remove."""
        before = report.messages
        while not self._rounds.closing:
            removed = await self._remove_some(account_id, now, report)
            report.messages += removed.count
            report.bytes += removed.size_bytes
            progress(report.messages)
            await asyncio.sleep(self._settings.pause_ms / 1000)
            if removed.count < self._settings.messages_at_once:
                break
        return report.messages > before

    async def _remove_some(self, account_id: str, now: datetime, report: RetentionReport) -> Removed:
        at_once = self._settings.messages_at_once
        async with self._database.write() as connection:
            ledger = (await accounts.lock(connection, [account_id])).get(account_id)
            locked_at = time.monotonic()
            if ledger is None:
                return Removed()  # deleted meanwhile: `AccountPurge` has it
            if await tier_changes.is_pending(connection, account_id):
                return Removed()  # what the new tier keeps longer is not to be lost while `ExpiryRedating` gets to it
            found = await messages.expired(connection, account_id, now, limit=at_once)
            removed = await self._removal.remove_rows(connection, ledger, found)
            await self._account_for(connection, account_id, removed, now=now, is_last=removed.count < at_once)
        report.longest_lock_s = max(report.longest_lock_s, time.monotonic() - locked_at)
        await self._removal.after_commit(removed)
        return removed

    async def _account_for(
        self, connection: AsyncConnection, account_id: str, removed: Removed, *, now: datetime, is_last: bool
    ) -> None:
        """Add what this transaction removes to the tally; with the last of it, write the receipt instead."""
        kept = await retention_tallies.get(connection, account_id)
        tally = (kept or Tally(now)).plus(removed.count, removed.size_bytes)
        if is_last and tally.messages:
            detail = f"messages={tally.messages} bytes={tally.bytes} since={rfc3339(tally.started_at)}"
            await self._trail.write(connection, operator(), ACTION, account_id=account_id, detail=detail)
        if is_last:
            await retention_tallies.remove(connection, account_id)
        elif kept is None:
            await retention_tallies.add(connection, account_id, tally)
        else:
            await retention_tallies.change(connection, account_id, tally)

    async def _remove_other(self, now: datetime) -> int:
        """Refusals, which expire as messages do; days of usage that no plot shows. Returns how many refusals."""
        removed = 0
        while not self._rounds.closing and (count := await self._refusals.remove_expired(limit=ROWS_AT_ONCE)):
            removed += count
            await asyncio.sleep(self._settings.pause_ms / 1000)
        first_kept = (now - USAGE_KEPT).astimezone(UTC).date()
        full = True
        while full and not self._rounds.closing:
            async with self._database.write() as connection:
                full = await usage_daily.remove_before(connection, first_kept, limit=ROWS_AT_ONCE) == ROWS_AT_ONCE
        return removed
