"""Whether an address can receive now, and why not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mailkeep.domain.account import AccountStatus
from mailkeep.domain.address import Address, AddressStatus


class Obstacle(StrEnum):
    """What keeps mail from being received."""

    ACCOUNT_SUSPENDED = "account_suspended"
    ADDRESS_INACTIVE = "address_inactive"
    STORAGE_FULL = "storage_full"
    RATE_REACHED = "rate_reached"


@dataclass(frozen=True, slots=True)
class RefusalCount:
    """Refusals of one kind: `code` and `status` of the reply (RFC 5321 section 4.2, RFC 3463), the latest `reason`."""

    code: int
    status: str
    reason: str
    count: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is known of an address at `checked_at`.

    `received_last_hour` counts the messages that are still stored, up to the limit: mxd's own count, which decides, has
    also those that were deleted. `feed_asked_at`: when an mxd last asked this process for recipients, None if never.
    """

    address: Address
    checked_at: datetime
    account_status: AccountStatus
    used_bytes: int
    limit_bytes: int
    received_last_hour: int
    limit_per_hour: int
    refusals: tuple[RefusalCount, ...]
    last_message_at: datetime | None
    stored_messages: int
    feed_asked_at: datetime | None

    @property
    def obstacles(self) -> tuple[Obstacle, ...]:
        return tuple(self._obstacles())

    def _obstacles(self) -> Iterator[Obstacle]:
        if self.account_status is not AccountStatus.ACTIVE:
            yield Obstacle.ACCOUNT_SUSPENDED
        if self.address.status is not AddressStatus.ACTIVE:
            yield Obstacle.ADDRESS_INACTIVE
        if self.used_bytes >= self.limit_bytes:
            yield Obstacle.STORAGE_FULL
        if self.received_last_hour >= self.limit_per_hour:
            yield Obstacle.RATE_REACHED
