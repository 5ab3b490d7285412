"""What a customer uses of what the tier gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from mailkeep.domain.account import Account
from mailkeep.domain.address import Address
from mailkeep.domain.tier import Tier

NEAR: Final = 0.8  # the share of a limit from which its customer is told


@dataclass(frozen=True, slots=True)
class UsageDay:
    """One day in UTC: messages stored, their bytes, and recipients that were refused."""

    day: date
    messages: int = 0
    bytes: int = 0
    refusals: int = 0


class Level(StrEnum):
    NEAR = "near"
    REACHED = "reached"


@dataclass(frozen=True, slots=True)
class Notice:
    """Of a limit that is near or reached: `limit` is its name, `share` what is used of it, 1 for all."""

    limit: str
    level: Level
    share: float


@dataclass(frozen=True, slots=True)
class AddressRate:
    """What an address received in the last hour, of the messages that are still stored, up to the limit."""

    address: Address
    received_last_hour: int


@dataclass(frozen=True, slots=True)
class Usage:
    """Of an account at `checked_at`; `days` in order without a gap, the last is today. Inactive addresses count too."""

    checked_at: datetime
    account: Account
    tier: Tier
    addresses: int
    rates: Sequence[AddressRate]
    days: Sequence[UsageDay]

    @property
    def addresses_share(self) -> float:
        return self.addresses / self.tier.addresses

    @property
    def notices(self) -> tuple[Notice, ...]:
        return storage_notices(self.account, self.tier)


def storage_share(account: Account, tier: Tier) -> float:
    return account.storage_bytes / tier.storage_bytes


def storage_notices(account: Account, tier: Tier) -> tuple[Notice, ...]:
    """Storage is what runs full by itself and then keeps mail out. Empty below `NEAR`."""
    share = storage_share(account, tier)
    if share < NEAR:
        return ()
    return (Notice("storage", Level.REACHED if share >= 1 else Level.NEAR, share),)
