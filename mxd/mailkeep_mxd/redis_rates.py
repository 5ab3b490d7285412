"""The rolling hour that all processes and hosts count together, in Redis or Valkey.

An outage of Redis stops no mail: until it is back, each process goes by its own count, so an address gets at most its
limit from each of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from limits import RateLimitItemPerHour
from limits.aio.strategies import MovingWindowRateLimiter

from mailkeep.config import Rates as RatesSettings
from mailkeep.domain.recipient import Recipient
from mailkeep.storage.shared_counts import SharedCounts, open_shared_counts

KEY_PREFIX: Final = "mailkeep:received"


class _ReceivedPerHour(RateLimitItemPerHour):
    """Kept under the address alone: a change of tier changes the limit and not what has been counted."""

    def key_for(self, *identifiers: bytes | str | float) -> str:
        return "/".join(map(str, identifiers))


class RedisHour:
    """Asks Redis, and does without it when it does not answer."""

    def __init__(self, counts: SharedCounts) -> None:
        self._counts = counts
        self._limiter = MovingWindowRateLimiter(counts.storage)

    async def fits(self, recipient: Recipient, *, places: int) -> bool:
        """Whether so many more messages fit into the hour; True when Redis does not say."""

        async def ask() -> bool:
            return await self._limiter.test(_item(recipient), recipient.address_id, cost=places)

        return await self._counts.ask(ask) is not False

    async def add(self, recipients: Sequence[Recipient]) -> None:
        """Count a message for each."""

        async def ask() -> bool:
            for recipient in recipients:
                await self._limiter.hit(_item(recipient), recipient.address_id)
            return True

        await self._counts.ask(ask)


@asynccontextmanager
async def open_redis_hour(settings: RatesSettings) -> AsyncIterator[RedisHour]:
    """Raises ConfigurationError; not when Redis is away."""
    async with open_shared_counts(settings, key_prefix=KEY_PREFIX) as counts:
        yield RedisHour(counts)


def _item(recipient: Recipient) -> RateLimitItemPerHour:
    return _ReceivedPerHour(recipient.per_hour)
