"""Waiting for a customer's messages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from mailkeep.domain.message import MessageQuery
from mailkeep.domain.scope import Actor, Scope
from mailkeep.services.arrivals import Arrivals, Progress
from mailkeep.services.near_misses import near_misses
from mailkeep.services.watching import MessageWatch, Wait, Waited
from mailkeep.storage import accounts
from mailkeep.storage.database import Database


class MessageWaits:
    """Whoever waits here looks at the database once a second, together with all who wait for the same account."""

    def __init__(self, database: Database, arrivals: Arrivals) -> None:
        self._database = database
        self._arrivals = arrivals

    async def wait(self, actor: Actor, query: MessageQuery, *, count: int, timeout_s: float) -> Waited:
        """A page of `query` as soon as it holds `count` messages, or one if that is 0; else after `timeout_s`.

        Without `after` all there are count. Raises NotAllowed, RateExceeded, Unavailable.
        """
        account_id = actor.owner(Scope.MESSAGES_READ)
        async with self._arrivals.following(account_id) as progress:
            wait = Wait(self._database, progress, account_id, query, count=count)
            waited = await wait.result(timeout_s=timeout_s)
        if not waited.timed_out:
            return waited
        since = replace(query, after=wait.began_after)
        matched = {message.seq for message in waited.page.items}
        async with self._database.read() as connection:
            missed = await near_misses(connection, account_id, since, until=waited.page.cursor, matched=matched)
        return replace(waited, near_misses=missed)

    @asynccontextmanager
    async def watch(self, actor: Actor, query: MessageQuery) -> AsyncIterator[MessageWatch]:
        """The messages of `query` after its `after`, else those that come from now on.

        Raises NotAllowed, RateExceeded, Unavailable.
        """
        account_id = actor.owner(Scope.MESSAGES_READ)
        async with self._arrivals.following(account_id) as progress:
            cursor = await self._newest(account_id) if query.after is None else query.after
            yield MessageWatch(self._database, progress, account_id, query, cursor=cursor)

    @asynccontextmanager
    async def progress(self, actor: Actor) -> AsyncIterator[Progress]:
        """How far the mail of the actor's account has got. Raises NotAllowed, RateExceeded."""
        async with self._arrivals.following(actor.owner(Scope.MESSAGES_READ)) as progress:
            yield progress

    def waiting(self, account_id: str) -> int:
        """How many wait for the mail of an account in this process."""
        return self._arrivals.waiting(account_id)

    async def _newest(self, account_id: str) -> int:
        async with self._database.read() as connection:
            return await accounts.message_seq(connection, account_id)
