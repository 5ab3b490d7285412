"""Whether the storage that each account is charged for is what its messages are, and mending it where it is not.

Number and messages are read in one statement, which on both engines sees one moment; the difference is then added to
the number, whatever it has become. So mail goes on meanwhile, and the row is locked no longer than by a delivery.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace
from typing import Final

from mailkeep.domain.tier import Tier
from mailkeep.services import hints, ledgers
from mailkeep.services.hints import Hints
from mailkeep.storage import accounts
from mailkeep.storage.database import Database

AT_ONCE: Final = 50


@dataclass(frozen=True, slots=True)
class Drift:
    """An account that is charged for `charged_bytes`, whose messages are `stored_bytes`."""

    account_id: str
    charged_bytes: int
    stored_bytes: int


class StorageRecount:
    """Recounts all accounts but deleted ones. To be run by one at a time: two would mend the same drift twice."""

    def __init__(self, database: Database, hints: Hints, *, tier_of: Callable[[str], Tier]) -> None:
        self._database = database
        self._hints = hints
        self._tier_of = tier_of

    async def recount(self, *, mend: bool) -> AsyncGenerator[tuple[int, list[Drift]], None]:
        """Gives how many accounts were looked at, and those of them that had drifted. Raises DatabaseUnavailable."""
        after = ""
        while page := await self._page(after):
            found = [Drift(*row) for row in page if row[1] != row[2]]
            for drift in found if mend else ():
                await self._mend(drift)
            yield len(page), found
            after = page[-1][0]

    async def _page(self, after: str) -> list[tuple[str, int, int]]:
        async with self._database.read() as connection:
            return await accounts.charged_and_stored(connection, after=after, limit=AT_ONCE)

    async def _mend(self, drift: Drift) -> None:
        async with self._database.write() as connection:
            ledger = (await accounts.lock(connection, [drift.account_id])).get(drift.account_id)
            if ledger is None:
                return  # deleted meanwhile
            mended = max(0, ledger.storage_bytes + drift.stored_bytes - drift.charged_bytes)
            quota_bytes = self._tier_of(ledger.tier).storage_bytes
            after = replace(ledger, storage_bytes=mended)
            crossed = await ledgers.save(connection, ledger, after, quota_bytes=quota_bytes)
        if crossed:
            self._hints.notify(hints.RECIPIENTS)
