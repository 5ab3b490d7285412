"""When sessions and tokens were used last: coarse, and written by and by, so that no request waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final

import structlog

from mailkeep.domain.clock import Clock
from mailkeep.errors import Unavailable
from mailkeep.storage import api_tokens, sessions
from mailkeep.storage.database import Database

SESSION_EVERY: Final = timedelta(minutes=5)
TOKEN_EVERY: Final = timedelta(minutes=1)
FLUSH_EVERY_S: Final = 5.0
MAX_WAITING: Final = 10_000

log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger()


class LastUse:
    """Takes notes. `running` is around everything that uses it."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._sessions: dict[str, datetime] = {}
        self._tokens: dict[str, datetime] = {}
        self._closing = asyncio.Event()

    def session(self, session_id: str, *, seen_at: datetime | None) -> None:
        """A session is used; `seen_at` is what is stored of it."""
        _note(self._sessions, session_id, seen_at, self._clock(), SESSION_EVERY)

    def token(self, token_id: str, *, seen_at: datetime | None) -> None:
        """A token is used; `seen_at` is what is stored of it."""
        _note(self._tokens, token_id, seen_at, self._clock(), TOKEN_EVERY)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Writes while the block lasts, and what is left when it ends."""
        writer = asyncio.create_task(self._run(), name="last use")
        try:
            yield
        finally:
            self._closing.set()
            await writer

    async def flush(self) -> None:
        """Write what is noted. When the database does not answer it is noted still."""
        if not self._sessions and not self._tokens:
            return
        noted = dict(self._sessions), dict(self._tokens)
        try:
            async with self._database.write() as connection:
                await sessions.set_last_seen(connection, noted[0])
                await api_tokens.set_last_used(connection, noted[1])
        except Unavailable:
            log.warning("last_use.not_written", waiting=len(noted[0]) + len(noted[1]))
            return
        for waiting, written in zip((self._sessions, self._tokens), noted, strict=True):
            for key, at in written.items():
                if waiting.get(key) == at:
                    del waiting[key]

    async def _run(self) -> None:
        while not self._closing.is_set():
            try:
                async with asyncio.timeout(FLUSH_EVERY_S):
                    await self._closing.wait()
            except TimeoutError:
                pass
            await self.flush()


def _note(waiting: dict[str, datetime], key: str, seen_at: datetime | None, now: datetime, every: timedelta) -> None:
    """Unless it is known well enough. When very many are waiting, one more use is not worth its memory."""
    if (seen_at is None or now - seen_at >= every) and key not in waiting and len(waiting) < MAX_WAITING:
        waiting[key] = now
