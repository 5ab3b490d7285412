"""Follows the recipients feed: a long poll for what changes, and a pull at once for what was missed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import structlog

from mailkeep.domain.recipient import RecipientChanges
from mailkeep_mxd.faults import where_raised
from mailkeep_mxd.feed import FeedUnavailable, RecipientSource
from mailkeep_mxd.table import RecipientTable

LONGEST_POLL_S: Final = 25.0
RECONCILE_S: Final = 3600.0
FIRST_RETRY_S: Final = 0.25
LONGEST_RETRY_S: Final = 5.0

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class FeedFollower:
    """Keeps `table` up to date while `follow` runs. Ages are on the monotonic clock, which does not jump."""

    def __init__(
        self, source: RecipientSource, *, max_age_s: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.table = RecipientTable()
        self.cursor = 0
        self._source = source
        # An answer must come well before the last one is too old, also when nothing changes.
        self._long_poll_s = min(LONGEST_POLL_S, max_age_s / 3)
        self._max_age_s = max_age_s
        self._monotonic = monotonic
        self._answered_at: float | None = None
        self._synced_at: float | None = None
        self._trouble = ""
        self._attempted = asyncio.Event()
        self._next_pull: asyncio.Future[bool] | None = None
        self._missed = asyncio.Event()
        # A page of a full sync and a pull must be applied in the order in which they were asked.
        self._asking = asyncio.Lock()

    @property
    def age_s(self) -> float:
        """How long ago the feed answered, in seconds; infinite before the first full sync."""
        return float("inf") if self._answered_at is None else self._monotonic() - self._answered_at

    @property
    def is_usable(self) -> bool:
        """Whether the table may be believed: it fails closed."""
        return self.age_s <= self._max_age_s

    def resume(self, *, cursor: int, age_s: float) -> None:
        """Go on from a snapshot, whose rows are in the table already."""
        self.cursor = cursor
        self._answered_at = self._synced_at = self._monotonic() - age_s

    async def pull(self) -> bool:
        """Ask now, together with all who ask at this moment; whether there was an answer.

        A pull that is already under way was asked before the caller's miss and cannot know: the next one counts.
        """
        if self._next_pull is None:
            self._next_pull = asyncio.get_running_loop().create_future()
            self._missed.set()
        return await asyncio.shield(self._next_pull)

    async def first_attempt(self, *, timeout_s: float) -> None:
        """Until the feed has answered or failed for the first time, or the time is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._attempted.wait()

    async def follow(self) -> None:
        """Runs until it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._poll())
            tasks.create_task(self._serve_pulls())

    async def _poll(self) -> None:
        retry_s = FIRST_RETRY_S
        while True:
            if await self._attempt(self._poll_once):
                retry_s = FIRST_RETRY_S
            else:
                await asyncio.sleep(retry_s)
                retry_s = min(2 * retry_s, LONGEST_RETRY_S)

    async def _poll_once(self) -> None:
        if self._synced_at is None or self._monotonic() - self._synced_at > RECONCILE_S:
            await self._sync_fully()
            return
        after = self.cursor
        asked_at = self._monotonic()
        is_first = not self._attempted.is_set()  # somebody waits for this answer, be there changes or not
        page = await self._source.changes(after, wait_s=0 if is_first else self._long_poll_s)
        if page.cursor < after:  # the database was restored from a backup
            await self._sync_fully()
            return
        self._take(page)
        if page.cursor == after and not is_first and self._monotonic() - asked_at < self._long_poll_s / 2:
            await asyncio.sleep(FIRST_RETRY_S)  # an API that is stopping does not wait, and we must not spin

    async def _sync_fully(self) -> None:
        """Everything from the start; the rows that are not in it leave the table at the end.

        An API that knows nobody is more likely to look at the wrong database than to be without customers, and
        to believe it would be to refuse all mail for good. An address that is deleted leaves by its tombstone.
        """
        self.table.begin_sync()
        cursor, more, rows = 0, True, 0
        while more:
            async with self._asking:
                page = await self._source.changes(cursor, wait_s=0)
                self.table.apply(page.recipients)
            if page.cursor < cursor or (page.more and page.cursor == cursor):
                raise FeedUnavailable("cursor_went_back", is_fault=False)
            cursor, more, rows = page.cursor, page.more, rows + len(page.recipients)
        if rows == 0 and self._source.is_remote:
            raise FeedUnavailable("nobody_known", is_fault=False)
        self.table.end_sync()
        self.cursor = cursor
        self._answered_at = self._synced_at = self._monotonic()
        log.info("recipients.synced", recipients=len(self.table), cursor=cursor)

    async def _serve_pulls(self) -> None:
        while True:
            await self._missed.wait()
            self._missed.clear()
            asked, self._next_pull = self._next_pull, None
            answered = False
            try:
                answered = await self._attempt(self._pull_all)
            finally:
                if asked is not None:
                    asked.set_result(answered)

    async def _pull_all(self) -> None:
        more = True
        while more:
            async with self._asking:
                after = self.cursor
                page = await self._source.changes(after, wait_s=0)
                if page.cursor < after:
                    raise FeedUnavailable("cursor_went_back", is_fault=False)
                self._take(page)
            more = page.more

    def _take(self, page: RecipientChanges) -> None:
        # A page that ends before the cursor was overtaken by another: what it says may be outdated.
        if page.cursor > self.cursor:
            self.table.apply(page.recipients)
            self.cursor = page.cursor
        self._answered_at = self._monotonic()

    async def _attempt(self, ask: Callable[[], Awaitable[None]]) -> bool:
        """Whether the feed answered. Nothing but cancellation ends the follower."""
        try:
            await ask()
        except FeedUnavailable as error:
            self._note_trouble(error.reason, is_fault=error.is_fault)
            return False
        except Exception as error:  # noqa: BLE001 - the edge of the room: a dead follower would refuse all mail
            self._note_trouble(f"{type(error).__name__} at {where_raised(error)}", is_fault=True)
            return False
        finally:
            self._attempted.set()
        if self._trouble:
            log.info("recipients.feed_back", recipients=len(self.table))
        self._trouble = ""
        return True

    def _note_trouble(self, reason: str, *, is_fault: bool) -> None:
        """Once for each kind of trouble, not once for each guess of a dictionary attack."""
        if reason == self._trouble:
            return
        self._trouble = reason
        say = log.error if is_fault else log.warning
        say("recipients.feed_lost", reason=reason, age_s=round(self.age_s, 3))
