"""What the door for mail knows of an address: enough to accept or refuse, and no more."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Recipient:
    """One row of the recipient table.

    `active` is False for an inactive address and for a suspended account. `per_hour` is how many messages the
    address may receive in a rolling hour. `deleted` marks a tombstone: the address must leave the table.
    """

    address: str
    address_id: str
    account_id: str
    active: bool
    per_hour: int
    over_quota: bool
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class RecipientChanges:
    """A page of the recipients feed, in the order of change. `cursor` continues it; `more` says that there is more."""

    recipients: tuple[Recipient, ...]
    cursor: int
    more: bool
