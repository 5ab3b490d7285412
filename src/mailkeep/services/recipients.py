"""The recipients feed, as the door for mail reads it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from mailkeep.domain.clock import Clock
from mailkeep.domain.recipient import RecipientChanges
from mailkeep.domain.scope import Actor, Scope
from mailkeep.domain.tier import Tier
from mailkeep.services import hints
from mailkeep.services.hints import Hints
from mailkeep.services.waiting import deadline_after
from mailkeep.storage import recipients
from mailkeep.storage.database import Database


class RecipientsFeed:
    """Changes of the recipient table, in order, from any cursor."""

    def __init__(self, database: Database, hints: Hints, *, tier_of: Callable[[str], Tier], clock: Clock) -> None:
        self._database = database
        self._hints = hints
        self._tier_of = tier_of
        self._clock = clock
        self._asked_at: datetime | None = None

    def asked_at(self) -> datetime | None:
        """When a receiver last asked this process; None if it never did."""
        return self._asked_at

    async def changes(self, actor: Actor, after: int, *, wait_s: float = 0, limit: int = 5000) -> RecipientChanges:
        """What changed after a cursor: at once when there is anything, else as soon as there is, else after `wait_s`.

        `after=0` gives a snapshot, page by page. A cursor smaller than `after` in the answer means that the
        database has forgotten `after`: start again from 0. Raises NotAllowed without the scope `policy`.
        """
        actor.require(Scope.POLICY)
        self._asked_at = self._clock()
        remaining_s = deadline_after(wait_s)
        with self._hints.listen(hints.RECIPIENTS) as listener:
            while True:
                async with self._database.read() as connection:
                    page = await recipients.changes(connection, after, limit=limit, tier_of=self._tier_of)
                if page.recipients or page.cursor < after or remaining_s() <= 0:
                    return page
                await listener.wait(remaining_s())
