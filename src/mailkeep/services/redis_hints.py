"""Hints between processes, by publish and subscribe of a Redis or Valkey.

What goes over it is the names of topics. It may be lost, with Redis or without: every waiter looks at the database
once a second, so that costs a second and never a message. A process that nobody waits in does not subscribe.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

import structlog

from mailkeep.config import Hints as HintsSettings
from mailkeep.services.hints import Hints
from mailkeep.storage.redis_pool import redis_pool

if TYPE_CHECKING:
    from redis.asyncio import ConnectionPool
    from redis.asyncio.client import PubSub

CHANNEL: Final = "mailkeep:hints"
PING_EVERY_S: Final = 5.0
SILENCE_S: Final = 15.0  # a Redis that answers no ping for so long is away, whatever TCP says
FIRST_BACKOFF_S: Final = 0.5
MAX_BACKOFF_S: Final = 10.0

log: structlog.stdlib.BoundLogger = structlog.get_logger()


@asynccontextmanager
async def open_hints(settings: HintsSettings) -> AsyncIterator[Hints]:
    """Raises ConfigurationError; not when Redis is away."""
    if settings.stays_in_process:
        yield Hints()
        return
    pool = redis_pool(settings.url, setting="hints.url", timeout_s=settings.timeout_s)
    exchange = _Exchange(pool, timeout_s=settings.timeout_s)
    publisher = asyncio.create_task(exchange.publish(), name="hints out")
    subscriber = asyncio.create_task(exchange.subscribe(), name="hints in")
    try:
        yield exchange.hints
    finally:
        exchange.close()
        await _end(subscriber)
        await publisher  # what was notified last still goes out
        await pool.aclose()


async def _end(task: asyncio.Task[None]) -> None:
    """The client loses a cancellation that comes while it connects or reads: it is told until it hears."""
    while not task.done():
        task.cancel()
        await asyncio.wait((task,), timeout=0.1)


class _Exchange:
    """What is notified here goes out, and what others publish wakes those who wait here."""

    def __init__(self, pool: ConnectionPool, *, timeout_s: float) -> None:
        from redis.asyncio import Redis
        from redis.exceptions import RedisError

        self.hints = Hints(self._put)
        self._client = Redis(connection_pool=pool)
        self._timeout_s = timeout_s
        self._faults = (RedisError, OSError, TimeoutError)
        self._topics: dict[str, None] = {}  # in order, each once
        self._something = asyncio.Event()
        self._away = False
        self._closing = asyncio.Event()

    def close(self) -> None:
        """No more is notified."""
        self._closing.set()
        self._something.set()

    def _put(self, topic: str) -> None:
        self._topics[topic] = None
        self._something.set()

    async def publish(self) -> None:
        """What gathers while one is on its way goes out together."""
        backoff_s = FIRST_BACKOFF_S
        while self._topics or not self._closing.is_set():
            await self._something.wait()
            self._something.clear()
            topics, self._topics = list(self._topics), {}
            try:
                async with asyncio.timeout(self._timeout_s), self._client.pipeline(transaction=False) as pipeline:
                    for topic in topics:
                        pipeline.publish(CHANNEL, topic)
                    await pipeline.execute()
            except self._faults as error:
                self._note(error)
                await self._pause(backoff_s)  # what is notified meanwhile is late anyway
                backoff_s = min(2 * backoff_s, MAX_BACKOFF_S)
            else:
                self._note(None)
                backoff_s = FIRST_BACKOFF_S

    async def subscribe(self) -> None:
        await self.hints.listened.wait()
        backoff_s = FIRST_BACKOFF_S
        while not self._closing.is_set():
            began = time.monotonic()
            try:
                async with self._client.pubsub() as channel:
                    await channel.subscribe(CHANNEL)
                    await self._hear(channel)
            except self._faults as error:
                self._note(error)
            backoff_s = FIRST_BACKOFF_S if time.monotonic() - began > SILENCE_S else min(2 * backoff_s, MAX_BACKOFF_S)
            await self._pause(backoff_s)

    async def _pause(self, seconds: float) -> None:
        """Or until the end."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()

    async def _hear(self, channel: PubSub) -> None:
        """Until the connection is lost, or silent. Raises what the client raises, TimeoutError."""
        heard_at = asked_at = time.monotonic()
        while not self._closing.is_set():
            message = await channel.get_message(timeout=PING_EVERY_S)
            now = time.monotonic()
            if message is None and now - heard_at > SILENCE_S:
                raise TimeoutError
            if message is not None:
                heard_at = now
            if now - asked_at >= PING_EVERY_S:
                asked_at = now
                await channel.ping()
            match message:
                case {"type": "message", "data": bytes(topic)}:
                    self.hints.wake(topic.decode("ascii", "replace"))
                case {"type": "subscribe"}:
                    self._note(None)
                    self.hints.wake_all()  # what was said before we listened is lost

    def _note(self, fault: BaseException | None) -> None:
        if fault is not None and not self._away:
            log.warning("hints.redis_unavailable", reason=type(fault).__name__)
        if fault is None and self._away:
            log.info("hints.redis_back")
        self._away = fault is not None
