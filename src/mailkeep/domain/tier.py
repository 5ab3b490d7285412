"""Tiers: what a customer gets. They are configuration; the names `free` and `paid` are only the defaults."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Tier:
    """The limits of one tier, and the names of what else it has."""

    name: str
    addresses: int
    retention_days: int
    received_per_hour: int
    storage_bytes: int
    api_requests_per_minute: int
    features: tuple[str, ...] = ()

    def kept_until(self, *, received_at: datetime, expires_at: datetime, changed_at: datetime) -> datetime:
        """Until when a message is kept after a change to this tier, which was to be kept until `expires_at`.

        From its arrival as long as this tier keeps messages. One that a longer tier was to keep loses that, but
        never at once: it has the new tier's time from the moment of the change. The answer, put in again as
        `expires_at`, is the same.
        """
        keeps = timedelta(days=self.retention_days)
        return max(received_at + keeps, min(expires_at, changed_at + keeps))


@dataclass(frozen=True, slots=True)
class TierChanged:
    """A change of tier as it was made: from which to which, and how many addresses became inactive."""

    before: str
    after: str
    addresses_inactive: int = 0

    def __str__(self) -> str:
        """As the audit log tells it."""
        return f"from={self.before} to={self.after} addresses_inactive={self.addresses_inactive}"
