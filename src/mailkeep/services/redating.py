"""Giving the messages that an account has already the time of expiry of its new tier: batch by batch.

How far it has got is in the table, in the transaction of each batch; so it goes on where a process was killed. Mail
that arrives meanwhile is not concerned: it gets the new tier's time when it is stored, under the account's lock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Final

import structlog

from mailkeep.domain.tier import Tier
from mailkeep.services.rounds import Rounds
from mailkeep.storage import tier_changes
from mailkeep.storage.database import Database
from mailkeep.storage.tier_changes import Kept, Redating

log: structlog.stdlib.BoundLogger = structlog.get_logger()

LOOK_S: Final = 60  # for what another process has queued, or left
MESSAGES_AT_ONCE: Final = 500  # a few hundredths of a second
ACCOUNTS_AT_ONCE: Final = 100


class ExpiryRedating:
    """Works through the queue. Any number of processes may: they take turns with an account."""

    def __init__(self, database: Database, *, tier_of: Callable[[str], Tier]) -> None:
        self._database = database
        self._tier_of = tier_of
        self._rounds = Rounds("redating", self.work_off, every_s=LOOK_S, at_once=True)

    def running(self) -> AbstractAsyncContextManager[None]:
        """Works while the block lasts; the batch under way is finished."""
        return self._rounds.running()

    def wake(self) -> None:
        """An account was queued, and that is committed."""
        self._rounds.wake()

    async def work_off(self) -> int:
        """Returns how many messages were looked at.

        Raises DatabaseUnavailable, and ConfigurationError for a tier that is no longer configured; what is done stays
        done.
        """
        looked_at, after = 0, ""
        while batch := await self._pending(after):
            for redating in batch:
                count = None
                while count != 0 and not self._rounds.closing:
                    count = await self._next(redating.account_id)
                    looked_at += count
                if self._rounds.closing:
                    return looked_at
                log.info("account.redated", account_id=redating.account_id, tier=redating.tier)
            after = batch[-1].account_id
        return looked_at

    async def _pending(self, after: str) -> list[Redating]:
        async with self._database.read() as connection:
            return await tier_changes.pending(connection, after=after, limit=ACCOUNTS_AT_ONCE)

    async def _next(self, account_id: str) -> int:
        """One batch, in a transaction; 0 when there is no more."""
        async with self._database.write() as connection:
            redating = await tier_changes.lock(connection, account_id)
            if redating is None:
                return 0
            found = await tier_changes.kept_next(connection, redating, limit=MESSAGES_AT_ONCE)
            if not found:
                await tier_changes.done(connection, account_id)
                return 0
            await tier_changes.set_expiry(connection, account_id, self._moved(redating, found))
            await tier_changes.advance(connection, redating, done_seq=found[-1].seq)
            return len(found)

    def _moved(self, redating: Redating, found: Sequence[Kept]) -> list[tuple[str, datetime]]:
        """Those that are kept until another time than before, with that time."""
        tier, moved = self._tier_of(redating.tier), list[tuple[str, datetime]]()
        for message in found:
            until = tier.kept_until(
                received_at=message.received_at, expires_at=message.expires_at, changed_at=redating.changed_at
            )
            if until != message.expires_at:
                moved.append((message.id, until))
        return moved
