"""After a break-in: what to look for in the audit log, and whom it leads to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Traces:
    """Records from `since` until `until`, of this client, deed and user or token, where these are given."""

    since: datetime
    until: datetime
    client_ip: str | None = None
    action: str | None = None
    actor_id: str | None = None


@dataclass(frozen=True, slots=True)
class Affected:
    """An account with such records: how many, the first and the last."""

    account_id: str
    records: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Notice:
    """Whom to tell, and since when it concerns them. `email` is empty when the account is deleted."""

    affected: Affected
    email: str
