"""Customers, the people who log in for them, and what gives access."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mailkeep.domain.address import Address
from mailkeep.domain.audit import Origin
from mailkeep.domain.scope import Actor, Scope


class AccountStatus(StrEnum):
    ACTIVE = "active"
    SUSPENDED = "suspended"
    DELETED = "deleted"  # an empty shell, or one that is being emptied


class Role(StrEnum):
    OWNER = "owner"
    MEMBER = "member"
    VIEWER = "viewer"


@dataclass(frozen=True, slots=True)
class Account:
    """A customer: the tenant that every row belongs to. `storage_bytes` is what its messages occupy."""

    id: str
    tier: str
    status: AccountStatus
    storage_bytes: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class User:
    """A person who can log in."""

    id: str
    account_id: str
    email: str
    role: Role
    created_at: datetime

    def acting(self, origin: Origin | None) -> Actor:
        """This person as the audit log knows them, from the moment before there is a session; without any scope."""
        return Actor(scopes=frozenset(), account_id=self.account_id, user_id=self.id, origin=origin or Origin())


@dataclass(frozen=True, slots=True)
class Session:
    """A log-in. `token` is the JWT, given out once."""

    id: str
    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """A log-in as its owner sees it. `last_seen_at` is coarse; where it came from is as it was at log-in."""

    id: str
    created_at: datetime
    expires_at: datetime
    last_seen_at: datetime | None
    client_ip: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class Registration:
    """What a new customer gets: an account, its owner, and a first address."""

    account: Account
    user: User
    address: Address


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token for programs, without its secret. `account_id` is None for a service token.

    `last_used_at` is right within a minute or so. `previous_until`: how long what it was before is good still.
    """

    id: str
    account_id: str | None
    name: str
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = None
    previous_until: datetime | None = None
