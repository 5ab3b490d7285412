"""Why mail does not arrive: one look at everything that decides."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from mailkeep.domain.clock import Clock
from mailkeep.domain.diagnosis import Diagnosis
from mailkeep.domain.scope import Actor, Scope
from mailkeep.domain.tier import Tier
from mailkeep.storage import accounts, addresses, diagnosis
from mailkeep.storage.database import Database

HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)


class Diagnosing:
    """`feed_asked_at` says when the recipients feed was last asked for."""

    def __init__(
        self,
        database: Database,
        *,
        tier_of: Callable[[str], Tier],
        feed_asked_at: Callable[[], datetime | None],
        clock: Clock,
    ) -> None:
        self._database = database
        self._tier_of = tier_of
        self._feed_asked_at = feed_asked_at
        self._clock = clock

    async def diagnose(self, actor: Actor, address_id: str) -> Diagnosis:
        """Raises NotFound, also for another account's address and for a deleted one; NotAllowed."""
        account_id = actor.owner(Scope.ADDRESSES_READ)
        now = self._clock()
        async with self._database.read() as connection:
            address = await addresses.get(connection, account_id, address_id)
            account = await accounts.get(connection, account_id)
            tier = self._tier_of(account.tier)
            received = await diagnosis.received(connection, account_id, address_id, limit=tier.received_per_hour)
            stored = await diagnosis.stored(connection, account_id, address_id)
            refused = await diagnosis.refusal_counts(connection, account_id, address_id, since=now - DAY)
        return Diagnosis(
            address=address,
            checked_at=now,
            account_status=account.status,
            used_bytes=account.storage_bytes,
            limit_bytes=tier.storage_bytes,
            received_last_hour=sum(moment > now - HOUR for moment in received),
            limit_per_hour=tier.received_per_hour,
            refusals=refused,
            last_message_at=received[0] if received else None,
            stored_messages=stored,
            feed_asked_at=self._feed_asked_at(),
        )
