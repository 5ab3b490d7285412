"""How many messages an address may still receive in this rolling hour.

Each process counts what it accepts, exactly, on a clock that does not jump. With Redis all processes and hosts count
together as well, by the `limits` library. In memory the library is not used: it reads the wall clock, it walks over
all addresses after each message, and its check alone takes longer than all else that RCPT does.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Final

from mailkeep.config import Rates as RatesSettings
from mailkeep.domain.recipient import Recipient
from mailkeep_mxd.redis_rates import RedisHour, open_redis_hour

HOUR_S: Final = 3600.0


class RollingHour:
    """Messages of the last hour, by address. Costs about 40 bytes a message and nothing for what is over."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._counts: dict[str, int] = {}
        self._times: deque[float] = deque()
        self._addresses: deque[str] = deque()

    def count(self, address_id: str) -> int:
        if self._times and self._times[0] <= self._monotonic() - HOUR_S:
            self._forget()
        return self._counts.get(address_id, 0)

    def add(self, address_id: str) -> None:
        self._forget()
        address_id = sys.intern(address_id)  # the table makes a new string of it each time
        self._counts[address_id] = self._counts.get(address_id, 0) + 1
        self._times.append(self._monotonic())
        self._addresses.append(address_id)

    def _forget(self) -> None:
        over = self._monotonic() - HOUR_S
        while self._times and self._times[0] <= over:
            self._times.popleft()
            address_id = self._addresses.popleft()
            left = self._counts[address_id] - 1
            if left:
                self._counts[address_id] = left
            else:
                del self._counts[address_id]


class Rates:
    """Counts messages that were accepted. A recipient of a transaction under way holds a place until it ends.

    So parallel sessions of one process never accept more than the tier allows. What the sessions of other processes
    hold at the same moment is not seen: with Redis the hour can be passed by so many.
    """

    def __init__(self, shared: RedisHour | None = None, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._shared = shared
        self._hour = RollingHour(monotonic)
        self._held: dict[str, int] = {}

    async def has_room(self, recipient: Recipient) -> bool:
        """Whether the address may receive one more message."""
        return await self._fits(recipient, places=self._held.get(recipient.address_id, 0) + 1)

    async def hold(self, recipient: Recipient) -> bool:
        """`has_room`, and when it has, the place is held until `release`."""
        address_id = recipient.address_id
        # First taken and then asked for: Redis lets others in between.
        self._held[address_id] = places = self._held.get(address_id, 0) + 1
        fits = False
        try:
            fits = await self._fits(recipient, places=places)
        finally:
            if not fits:
                self.release(address_id)
        return fits

    def release(self, address_id: str) -> None:
        """Give a place back that was held."""
        left = self._held.pop(address_id) - 1
        if left:
            self._held[address_id] = left

    async def count(self, recipients: Iterable[Recipient]) -> None:
        """Messages that were accepted, one for each of these."""
        recipients = tuple(recipients)
        for recipient in recipients:
            self._hour.add(recipient.address_id)
        if self._shared is not None:
            await self._shared.add(recipients)

    async def _fits(self, recipient: Recipient, *, places: int) -> bool:
        if self._hour.count(recipient.address_id) + places > recipient.per_hour:
            return False
        return self._shared is None or await self._shared.fits(recipient, places=places)


@asynccontextmanager
async def open_rates(settings: RatesSettings) -> AsyncIterator[Rates]:
    """Raises ConfigurationError for a `storage_url` that cannot work, or without the Redis client installed."""
    if settings.counts_apart:
        yield Rates()
        return
    async with open_redis_hour(settings) as shared:
        yield Rates(shared)
