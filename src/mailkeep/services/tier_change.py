"""The change of an account's tier, whoever makes it: an administrator, or a payment.

What is in force at once is one transaction: the limits of mail and of requests, and which addresses take mail. The
time of expiry of what is stored follows in batches (`redating`); nothing is deleted by a change.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.domain.clock import Clock
from mailkeep.domain.tier import Tier, TierChanged
from mailkeep.services import hints
from mailkeep.services.account_tiers import AccountTiers
from mailkeep.services.hints import Hints
from mailkeep.services.redating import ExpiryRedating
from mailkeep.storage import accounts, addresses, recipients, tier_changes
from mailkeep.storage.accounts import Ledger
from mailkeep.storage.tier_changes import Redating

ACTION: Final = "account.tier_change"


class TierChange:
    """Changes tiers: `make` within the caller's transaction, `made` when that is committed."""

    def __init__(
        self,
        hints: Hints,
        tiers: AccountTiers,
        redating: ExpiryRedating,
        *,
        tier_of: Callable[[str], Tier],
        clock: Clock,
    ) -> None:
        self._hints = hints
        self._tiers = tiers
        self._redating = redating
        self._tier_of = tier_of
        self._clock = clock

    async def make(self, connection: AsyncConnection, ledger: Ledger, tier: str) -> TierChanged | None:
        """Give a locked account another tier; None when it has that one already.

        The oldest active addresses stay active up to the tier's limit, the others become inactive. The caller writes
        the audit record. Raises ConfigurationError for a tier that is not configured.
        """
        if ledger.tier == tier:
            return None
        limit, now = self._tier_of(tier).addresses, self._clock()
        await accounts.set_tier(connection, ledger.id, tier)
        # The feed's counter before any address, as whoever deletes one takes them.
        await recipients.touch_account(connection, ledger.id)
        excess = await addresses.active_beyond(connection, ledger.id, limit)
        await addresses.deactivate(connection, ledger.id, excess, now=now)
        await tier_changes.put(
            connection,
            Redating(ledger.id, tier, changed_at=now, done_seq=0, last_seq=ledger.message_seq),
        )
        return TierChanged(ledger.tier, tier, addresses_inactive=len(excess))

    def made(self, account_id: str) -> None:
        """It is committed: from now on this process goes by it, and the door for mail is told."""
        self._tiers.forget(account_id)
        self._hints.notify(hints.RECIPIENTS)
        self._redating.wake()
