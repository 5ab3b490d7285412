"""What whoever runs the service sees of its customers: who they are and what they use, never their mail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from mailkeep.domain.account import AccountStatus


@dataclass(frozen=True, slots=True)
class AccountEntry:
    """An account with its owner's e-mail address. `messages_received` counts those that are deleted too."""

    id: str
    email: str
    tier: str
    status: AccountStatus
    storage_bytes: int
    messages_received: int
    addresses: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class AccountFilter:
    """Which accounts, newest first: all that is given must fit. `email` and `address` are whole and canonical."""

    email: str | None = None
    address: str | None = None
    status: AccountStatus | None = None
    tier: str | None = None
    before: str | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Totals:
    """Of the whole installation; `accounts` by tier and status."""

    accounts: Mapping[tuple[str, AccountStatus], int]
    addresses: int
    messages_received: int
    storage_bytes: int
