"""What a customer uses, and what it is measured against."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.domain.address import AddressStatus
from mailkeep.domain.clock import Clock
from mailkeep.domain.scope import Actor, Scope
from mailkeep.domain.tier import Tier
from mailkeep.domain.usage import AddressRate, Notice, Usage, UsageDay, storage_notices
from mailkeep.storage import accounts, addresses, diagnosis, usage_daily
from mailkeep.storage.database import Database

HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
MAX_DAYS: Final = 366
# Those of a page; a tier can allow thousands.
RATES: Final = 50


class UsageView:
    """Reads; what is counted is counted where it happens."""

    def __init__(self, database: Database, *, tier_of: Callable[[str], Tier], clock: Clock) -> None:
        self._database = database
        self._tier_of = tier_of
        self._clock = clock

    async def of(self, actor: Actor, *, days: int = 30) -> Usage:
        """With the last `days` days, at most MAX_DAYS, and the rates of the newest addresses. Raises NotAllowed."""
        account_id = actor.owner(Scope.ACCOUNT_READ)
        now = self._clock()
        today = now.astimezone(UTC).date()
        first = today - DAY * (min(days, MAX_DAYS) - 1)
        async with self._database.read() as connection:
            account = await accounts.get(connection, account_id)
            tier = self._tier_of(account.tier)
            used = await usage_daily.since(connection, account_id, first)
            return Usage(
                checked_at=now,
                account=account,
                tier=tier,
                addresses=await addresses.count(connection, account_id),
                rates=await self._rates(connection, account_id, tier),
                days=[
                    used.get(day, UsageDay(day)) for day in (first + DAY * n for n in range((today - first).days + 1))
                ],
            )

    async def notices(self, actor: Actor) -> tuple[Notice, ...]:
        """What the customer is to be told on every page; nothing where the actor may not see the account."""
        if Scope.ACCOUNT_READ not in actor.scopes or actor.account_id is None:
            return ()
        async with self._database.read() as connection:
            account = await accounts.get(connection, actor.account_id)
        return storage_notices(account, self._tier_of(account.tier))

    async def _rates(self, connection: AsyncConnection, account_id: str, tier: Tier) -> list[AddressRate]:
        since = self._clock() - HOUR
        rates = []
        for address in await addresses.page(connection, account_id, limit=RATES, before=None):
            if address.status is AddressStatus.ACTIVE:
                received = await diagnosis.received_since(
                    connection, account_id, address.id, since=since, limit=tier.received_per_hour
                )
                rates.append(AddressRate(address, received))
        return rates
