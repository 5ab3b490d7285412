"""The tier of an account, for decisions that are made at every request and must not ask the database each time."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from mailkeep.domain.tier import Tier
from mailkeep.storage import accounts
from mailkeep.storage.database import Database

# As soon as other processes hear of it by mail: a change is in force within a second.
KEPT_S: Final = 1.0
MAX_KEPT: Final = 10_000


class AccountTiers:
    """Remembers each answer for a second: by then a change of tier is seen that another process made."""

    def __init__(
        self,
        database: Database,
        *,
        tier_of: Callable[[str], Tier],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._tier_of = tier_of
        self._monotonic = monotonic
        self._kept: OrderedDict[str, tuple[float, Tier]] = OrderedDict()

    def forget(self, account_id: str) -> None:
        """The account has another tier, and that is committed."""
        self._kept.pop(account_id, None)

    async def of(self, account_id: str) -> Tier:
        """Raises NotFound, ConfigurationError for a tier that is not configured, DatabaseUnavailable."""
        until, tier = self._kept.get(account_id, (float("-inf"), None))
        if tier is not None and self._monotonic() < until:
            return tier
        async with self._database.read() as connection:
            account = await accounts.get(connection, account_id)
        tier = self._tier_of(account.tier)
        self._kept[account_id] = (self._monotonic() + KEPT_S, tier)
        self._kept.move_to_end(account_id)
        while len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        return tier
