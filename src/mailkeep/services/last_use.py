"""When sessions and tokens were used last: coarse, and written by and by, so that no request waits for it."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Final

from mailkeep.domain.clock import Clock
from mailkeep.services.rounds import Rounds
from mailkeep.storage import api_tokens, sessions
from mailkeep.storage.database import Database

SESSION_EVERY: Final = timedelta(minutes=5)
TOKEN_EVERY: Final = timedelta(minutes=1)
FLUSH_EVERY_S: Final = 5.0
MAX_WAITING: Final = 10_000


class LastUse:
    """Takes notes. `running` is around everything that uses it."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._sessions: dict[str, datetime] = {}
        self._tokens: dict[str, datetime] = {}
        self._rounds = Rounds("last_use", self.flush, every_s=FLUSH_EVERY_S)

    def session(self, session_id: str, *, seen_at: datetime | None) -> None:
        """A session is used; `seen_at` is what is stored of it."""
        _note(self._sessions, session_id, seen_at, self._clock(), SESSION_EVERY)

    def token(self, token_id: str, *, seen_at: datetime | None) -> None:
        """A token is used; `seen_at` is what is stored of it."""
        _note(self._tokens, token_id, seen_at, self._clock(), TOKEN_EVERY)

    def running(self) -> AbstractAsyncContextManager[None]:
        """Writes while the block lasts, and what is left when it ends."""
        return self._rounds.running()

    async def flush(self) -> None:
        """Write what is noted. Raises DatabaseUnavailable; it is noted still then."""
        if not self._sessions and not self._tokens:
            return
        noted = dict(self._sessions), dict(self._tokens)
        async with self._database.write() as connection:
            await sessions.set_last_seen(connection, noted[0])
            await api_tokens.set_last_used(connection, noted[1])
        for waiting, written in zip((self._sessions, self._tokens), noted, strict=True):
            for key, at in written.items():
                if waiting.get(key) == at:
                    del waiting[key]


def _note(waiting: dict[str, datetime], key: str, seen_at: datetime | None, now: datetime, every: timedelta) -> None:
    """Unless it is known well enough. When very many are waiting, one more use is not worth its memory."""
    if (seen_at is None or now - seen_at >= every) and key not in waiting and len(waiting) < MAX_WAITING:
        waiting[key] = now
