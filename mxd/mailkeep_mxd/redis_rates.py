"""The rolling hour that all processes and hosts count together, in Redis or Valkey.

An outage of Redis stops no mail: until it is back, each process goes by its own count, so an address gets at most its
limit from each of them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import Final

import structlog
from limits import RateLimitItemPerHour
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from limits.errors import StorageError

from mailkeep.config import Rates as RatesSettings
from mailkeep.domain.recipient import Recipient
from mailkeep.errors import ConfigurationError

KEY_PREFIX: Final = "mailkeep:received"
# While Redis is away, only one question in so long waits for it.
ASK_AGAIN_S: Final = 2.0
LOG_AGAIN_S: Final = 60.0

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class _ReceivedPerHour(RateLimitItemPerHour):
    """Kept under the address alone: a change of tier changes the limit and not what has been counted."""

    def key_for(self, *identifiers: bytes | str | float) -> str:
        return "/".join(map(str, identifiers))


class RedisHour:
    """Asks Redis, and does without it when it does not answer in `timeout_s`."""

    def __init__(
        self, storage: RedisStorage, *, timeout_s: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._limiter = MovingWindowRateLimiter(storage)
        self._timeout_s = timeout_s
        self._monotonic = monotonic
        self._away_until = float("-inf")
        self._logged_at = float("-inf")
        self._is_away = False

    async def fits(self, recipient: Recipient, *, places: int) -> bool:
        """Whether so many more messages fit into the hour; True when Redis does not say."""

        async def ask() -> bool:
            return await self._limiter.test(_item(recipient), recipient.address_id, cost=places)

        return await self._ask(ask) is not False

    async def add(self, recipients: Sequence[Recipient]) -> None:
        """Count a message for each."""

        async def ask() -> bool:
            for recipient in recipients:
                await self._limiter.hit(_item(recipient), recipient.address_id)
            return True

        await self._ask(ask)

    async def _ask(self, ask: Callable[[], Awaitable[bool]]) -> bool | None:
        """The answer, None without one."""
        if self._monotonic() < self._away_until:
            return None
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await ask()
        except (StorageError, OSError, TimeoutError) as error:
            self._note_absence(error)
            return None
        if self._is_away:
            self._is_away = False
            log.info("rates.redis_back")
        return answer

    def _note_absence(self, error: Exception) -> None:
        self._is_away = True
        now = self._monotonic()
        self._away_until = now + ASK_AGAIN_S
        if now - self._logged_at >= LOG_AGAIN_S:
            self._logged_at = now
            log.warning("rates.redis_unavailable", reason=type(error.__cause__ or error).__name__)


@asynccontextmanager
async def open_redis_hour(settings: RatesSettings) -> AsyncIterator[RedisHour]:
    """Raises ConfigurationError; not when Redis is away."""
    if find_spec("redis") is None:
        raise ConfigurationError("rates.storage_url names Redis, and its client is not installed: mailkeep[redis]")
    # An extra: imported only where it is used.
    from redis.asyncio import ConnectionPool
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    url = settings.storage_url.get_secret_value()
    try:
        pool = ConnectionPool.from_url(
            url.replace("redis+unix://", "unix://", 1),
            socket_timeout=settings.timeout_s,
            socket_connect_timeout=settings.timeout_s,
            # Once and at once: a Redis that was started again has closed the connections that we kept.
            retry=Retry(NoBackoff(), 1),
        )
    except ValueError as error:
        raise ConfigurationError("rates.storage_url is no URL of a Redis: write redis://host:6379/0") from error
    storage = RedisStorage(
        "async+redis://",
        wrap_exceptions=True,
        implementation="redispy",
        key_prefix=KEY_PREFIX,
        connection_pool=pool,  # type: ignore[arg-type]  # documented, and forgotten in the annotation
    )
    try:
        yield RedisHour(storage, timeout_s=settings.timeout_s)
    finally:
        await pool.aclose()


def _item(recipient: Recipient) -> RateLimitItemPerHour:
    return _ReceivedPerHour(recipient.per_hour)
