"""Waiting for messages: those of a query as they arrive, none missed and none twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from mailkeep.domain.message import MessagePage, MessageQuery, MessageSummary
from mailkeep.services.arrivals import Progress
from mailkeep.services.near_misses import NearMiss
from mailkeep.services.search import find_page
from mailkeep.services.waiting import deadline_after
from mailkeep.storage import messages
from mailkeep.storage.database import Database


@dataclass(frozen=True, slots=True)
class Waited:
    """What a wait found. `timed_out`: all mail was looked at, and there was too little of it until the end.

    `near_misses` came after the cursor, or without one during the wait, and were not asked for: the newest.
    """

    page: MessagePage
    timed_out: bool
    near_misses: tuple[NearMiss, ...] = ()


class MessageWatch:
    """The messages of one query that are newer than `cursor`, which moves on as they are given."""

    def __init__(
        self, database: Database, progress: Progress, account_id: str, query: MessageQuery, *, cursor: int
    ) -> None:
        self._database = database
        self._progress = progress
        self._account_id = account_id
        self._query = query
        self.cursor = cursor
        # Whether, at the last look, nothing newer than the cursor was left to be looked at.
        self.is_current = False

    async def next(self, *, limit: int, timeout_s: float) -> Sequence[MessageSummary]:
        """The next ones, oldest first: at once if there are any, else as soon as there are; none after `timeout_s`.

        Raises Unavailable.
        """
        remaining_s = deadline_after(timeout_s)
        while True:
            if self.is_current and not await self._progress.past(self.cursor, timeout_s=remaining_s()):
                return ()
            found = await self.look(limit=limit)
            if found or remaining_s() <= 0:
                return found

    async def look(self, *, limit: int) -> Sequence[MessageSummary]:
        """What is there now, oldest first, or a first part of it."""
        query = replace(self._query, after=self.cursor, before=None, limit=limit)
        async with self._database.read() as connection:
            page = await find_page(connection, self._account_id, query)
        self.cursor, self.is_current = page.cursor, page.more is None
        return page.items[::-1]


class Wait:
    """One wait for `count` messages of a query; for one when that is 0."""

    def __init__(
        self, database: Database, progress: Progress, account_id: str, query: MessageQuery, *, count: int
    ) -> None:
        self._database = database
        self._account_id = account_id
        self._query = query
        self._needed = max(count, 1)
        self._watch = MessageWatch(database, progress, account_id, query, cursor=query.after or 0)
        self._found: list[MessageSummary] = []  # newest first
        self.began_after = query.after or 0

    async def result(self, *, timeout_s: float) -> Waited:
        """Raises Unavailable."""
        remaining_s = deadline_after(timeout_s)
        older = await self._from_the_newest(remaining_s) if self._query.after is None else None
        while older is None and len(self._found) < self._needed:
            new = await self._watch.next(limit=self._room, timeout_s=remaining_s())
            # The time is up: only a look of our own, begun after that, can say that nothing came until then.
            new = new or await self._watch.look(limit=self._room)
            if not new:
                break
            self._found = [*reversed(new), *self._found]
            await self._refresh()
        more = older
        if self._query.goes_up and not self._watch.is_current:
            more = self._watch.cursor
        timed_out = len(self._found) < self._needed and more is None
        return Waited(MessagePage(self._found, more, self._watch.cursor), timed_out=timed_out)

    @property
    def _room(self) -> int:
        return self._query.limit - len(self._found)

    async def _from_the_newest(self, remaining_s: Callable[[], float]) -> int | None:
        """Without `after`, what is there already counts. Returns where the rest of it begins."""
        page = await self._page(self._query)
        self.began_after = self._watch.cursor = page.cursor
        self._watch.is_current = True
        self._found = list(page.items)
        while page.more is not None and len(self._found) < self._needed and remaining_s() > 0:
            page = await self._page(replace(self._query, before=page.more, limit=self._room))
            self._found += page.items
        return page.more

    async def _page(self, query: MessageQuery) -> MessagePage:
        async with self._database.read() as connection:
            return await find_page(connection, self._account_id, query)

    async def _refresh(self) -> None:
        """What was found some time ago can be deleted by now, or read."""
        if len(self._found) < 2:
            return
        seqs = [message.seq for message in self._found]
        async with self._database.read() as connection:
            query = MessageQuery(limit=len(seqs))
            self._found = await messages.page(connection, self._account_id, query, seqs=seqs)
