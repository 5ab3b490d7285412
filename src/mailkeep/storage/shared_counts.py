"""Counters that all processes and hosts keep together, in Redis or Valkey, by the library `limits`.

An outage of Redis stops nothing: whoever counts here also counts by itself, and goes by that until Redis is back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import structlog
from limits.aio.storage import RedisStorage
from limits.errors import StorageError

from mailkeep.config import Rates as RatesSettings
from mailkeep.storage.redis_pool import redis_pool

# While Redis is away, only one question in so long waits for it.
ASK_AGAIN_S: Final = 2.0
LOG_AGAIN_S: Final = 60.0

T = TypeVar("T")

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class SharedCounts:
    """Asks Redis, and does without it when it does not answer in `timeout_s`."""

    def __init__(
        self, storage: RedisStorage, *, timeout_s: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.storage = storage
        self._timeout_s = timeout_s
        self._monotonic = monotonic
        self._away_until = float("-inf")
        self._logged_at = float("-inf")
        self._is_away = False

    async def ask(self, question: Callable[[], Awaitable[T]]) -> T | None:
        """What `question` gives, None when Redis gives no answer."""
        if self._monotonic() < self._away_until:
            return None
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await question()
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
async def open_shared_counts(settings: RatesSettings, *, key_prefix: str) -> AsyncIterator[SharedCounts]:
    """Counters whose keys begin with `key_prefix`. Raises ConfigurationError; not when Redis is away."""
    pool = redis_pool(settings.storage_url, setting="rates.storage_url", timeout_s=settings.timeout_s)
    storage = RedisStorage(
        "async+redis://",
        wrap_exceptions=True,
        implementation="redispy",
        key_prefix=key_prefix,
        connection_pool=pool,  # type: ignore[arg-type]  # documented, and forgotten in the annotation
    )
    try:
        yield SharedCounts(storage, timeout_s=settings.timeout_s)
    finally:
        await pool.aclose()
