"""Refusals: what the door for mail reports, and what the owner of an address is told."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from mailkeep.domain.clock import Clock
from mailkeep.domain.refusal import Refusal, StoredRefusal
from mailkeep.domain.scope import Actor, Scope
from mailkeep.domain.tier import Tier
from mailkeep.domain.usage import UsageDay
from mailkeep.storage import addresses, refusals, usage_daily
from mailkeep.storage.database import Database
from mailkeep.storage.refusals import NewRefusal

# How far apart the first and the last of one minute can be.
SPAN: Final = timedelta(minutes=1)
EXPIRY_EVERY_S: Final = 60.0
EXPIRED_AT_ONCE: Final = 500


class Refusals:
    """Keeps refusals for as long as the tier keeps messages."""

    def __init__(self, database: Database, *, tier_of: Callable[[str], Tier], clock: Clock) -> None:
        self._database = database
        self._tier_of = tier_of
        self._clock = clock
        self._expired_at = float("-inf")

    async def record(self, actor: Actor, batch: Sequence[Refusal]) -> None:
        """Add refusals to those of the same address, reply and minute. What names no address of ours is left out.

        Who owns an address is looked up here: whoever reports is not asked. Raises NotAllowed without the scope
        `policy`, DatabaseUnavailable.
        """
        actor.require(Scope.POLICY)
        now = self._clock()
        async with self._database.write() as connection:
            owners = await refusals.owners(connection, {refusal.address_id for refusal in batch})
            new = [
                owned
                for refusal in batch
                if (owner := owners.get(refusal.address_id)) and (owned := self._owned(refusal, *owner, now=now))
            ]
            if new:
                await refusals.add_all(connection, new)
                await usage_daily.add(connection, map(_used, new))
        if time.monotonic() - self._expired_at > EXPIRY_EVERY_S:
            self._expired_at = time.monotonic()
            await self.remove_expired()

    async def list(
        self, actor: Actor, address_id: str, *, limit: int = 50, before: str | None = None
    ) -> tuple[list[StoredRefusal], str | None]:
        """A page of an address's refusals, newest first, and the cursor of the next one.

        Raises NotFound, also for another account's address and for a deleted one; NotAllowed.
        """
        account_id = actor.owner(Scope.ADDRESSES_READ)
        async with self._database.read() as connection:
            await addresses.get(connection, account_id, address_id)
            found = await refusals.page(
                connection, account_id, address_id, limit=limit + 1, before=before, now=self._clock()
            )
        page = found[:limit]
        return page, page[-1].id if len(found) > limit else None

    async def remove_expired(self, *, limit: int = EXPIRED_AT_ONCE) -> int:
        """Remove some of what has expired, how many of them is returned. `record` does it too, once a minute."""
        async with self._database.write() as connection:
            return await refusals.remove_expired(connection, now=self._clock(), limit=limit)

    def _owned(self, refusal: Refusal, account_id: str, tier: str, *, now: datetime) -> NewRefusal | None:
        """A refusal with its owner; None for one that is reported so late that it would only be removed again."""
        # Another host's clock may be ahead of ours.
        last_at = min(refusal.last_at, now)
        expires_at = last_at + timedelta(days=self._tier_of(tier).retention_days)
        if expires_at <= now:
            return None
        first_at = max(min(refusal.first_at, last_at), last_at - SPAN)
        return NewRefusal(account_id, replace(refusal, first_at=first_at, last_at=last_at), expires_at)


def _used(new: NewRefusal) -> tuple[str, UsageDay]:
    return new.account_id, UsageDay(new.refusal.first_at.astimezone(UTC).date(), refusals=new.refusal.count)
