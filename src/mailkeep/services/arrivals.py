"""How far the mail of accounts has got, for whoever waits for more: looked up once for all of them in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mailkeep.errors import DatabaseUnavailable, RateExceeded, Unavailable
from mailkeep.services import hints
from mailkeep.services.hints import LOOK_AGAIN_S, Hints
from mailkeep.storage import accounts
from mailkeep.storage.database import Database


class Progress:
    """One account's. `seq` is what its newest message had at the last look."""

    def __init__(self) -> None:
        self.seq = 0
        self.waiters = 0
        self._fault: Unavailable | None = None
        self._looked = asyncio.Event()

    async def past(self, seq: int, *, timeout_s: float) -> bool:
        """True as soon as a message newer than `seq` is known of, False after `timeout_s`.

        Raises DatabaseUnavailable when the last look at the database failed.
        """
        try:
            async with asyncio.timeout(max(timeout_s, 0)):
                while self.seq <= seq:
                    if self._fault is not None:
                        raise DatabaseUnavailable("the database does not answer") from self._fault
                    await self._looked.wait()
        except TimeoutError:
            return False
        return True

    def note(self, seq: int) -> None:
        if seq > self.seq or self._fault is not None:
            self.seq, self._fault = max(seq, self.seq), None
            self._tell()

    def note_fault(self, fault: Unavailable) -> None:
        self._fault = fault
        self._tell()

    def _tell(self) -> None:
        self._looked.set()
        self._looked = asyncio.Event()


class Arrivals:
    """Follows the accounts that somebody waits for."""

    def __init__(self, database: Database, hints: Hints, *, max_waiters: int) -> None:
        """`max_waiters`: of one account."""
        self._database = database
        self._hints = hints
        self._max_waiters = max_waiters
        self._followed: dict[str, tuple[Progress, asyncio.Task[None]]] = {}

    @asynccontextmanager
    async def following(self, account_id: str) -> AsyncIterator[Progress]:
        """Raises RateExceeded when too many wait for the mail of this account already."""
        if account_id not in self._followed:
            progress = Progress()
            follower = asyncio.create_task(self._follow(account_id, progress), name="arrivals")
            self._followed[account_id] = progress, follower
        progress, follower = self._followed[account_id]
        if progress.waiters >= self._max_waiters:
            raise RateExceeded("too many wait for the mail of this account", retry_after_s=1)
        progress.waiters += 1
        try:
            yield progress
        finally:
            progress.waiters -= 1
            if not progress.waiters:
                del self._followed[account_id]
                follower.cancel()
                await asyncio.gather(follower, return_exceptions=True)

    def waiting(self, account_id: str) -> int:
        """How many follow an account."""
        return self._followed[account_id][0].waiters if account_id in self._followed else 0

    async def _follow(self, account_id: str, progress: Progress) -> None:
        with self._hints.listen(hints.mail_for(account_id)) as listener:
            while True:
                try:
                    async with self._database.read() as connection:
                        progress.note(await accounts.message_seq(connection, account_id))
                except Unavailable as error:
                    progress.note_fault(error)  # all who wait are told, and the next look may succeed
                await listener.wait(LOOK_AGAIN_S)
