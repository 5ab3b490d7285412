"""Subscriptions: what of a payment service's state matters here, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from mailkeep.domain.tier import Tier

PAYING: Final = frozenset({"active", "trialing"})
PAST_DUE: Final = "past_due"
ENDED: Final = frozenset({"canceled", "incomplete_expired"})
# After a period's end the next invoice is a draft for an hour; then its payment is tried.
_SETTLES: Final = timedelta(hours=2)


class Interval(StrEnum):
    """How often a subscription is paid."""

    MONTHLY = "monthly"
    YEARLY = "yearly"


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription as Stripe has it now. `status` is Stripe's word; `account_id` is what we wrote on it.

    `cancel_at`: when it ends, if it has been cancelled. `past_due_since`: when the invoice was made that is unpaid.
    """

    id: str
    status: str
    price_id: str
    created_at: datetime
    account_id: str = ""
    customer_id: str = ""
    period_end: datetime | None = None
    cancel_at: datetime | None = None
    past_due_since: datetime | None = None

    def entitles(self, now: datetime, grace: timedelta) -> bool:
        """Whether its customer has the tier: paid, or not paid for less than the grace."""
        if self.status == PAST_DUE:
            return self.past_due_since is None or now < self.past_due_since + grace
        return self.status in PAYING

    def look_again_at(self, now: datetime, grace: timedelta) -> datetime | None:
        """When to ask Stripe again without having been told to: a notice can be lost."""
        if not self.entitles(now, grace):
            return None
        due = self.cancel_at or self.period_end
        if self.status == PAST_DUE and self.past_due_since is not None:
            due = self.past_due_since + grace
        return max(due or now, now) + (_SETTLES if self.status in PAYING else timedelta())


def in_force(found: Sequence[Subscription]) -> Subscription | None:
    """The one that counts of those that an account has: one that is paid before others, then the newest."""

    def rank(each: Subscription) -> tuple[bool, bool, datetime, str]:
        return each.status in PAYING, each.status == PAST_DUE, each.created_at, each.id

    return max(found, key=rank, default=None)


@dataclass(frozen=True, slots=True)
class Kept:
    """What we keep of an account's subscription. `granted`: it is why the account has its tier."""

    account_id: str
    subscription: Subscription | None
    granted: bool
    look_again_at: datetime | None


@dataclass(frozen=True, slots=True)
class AfterTheEnd:
    """What happens when a subscription ends: which addresses become inactive, and whether mail is refused."""

    tier: Tier
    inactive: tuple[str, ...]
    over_quota: bool


@dataclass(frozen=True, slots=True)
class BillingView:
    """An account's plan. `until`: how long it lasts without another payment, where that is known."""

    tier: Tier
    basic: Tier
    paid: Tier
    subscription: Subscription | None
    interval: Interval | None
    grace_until: datetime | None
    has_customer: bool
    is_subscribed: bool
    offers: tuple[Interval, ...]
    after_the_end: AfterTheEnd | None


@dataclass(frozen=True, slots=True)
class StripeEvent:
    """What is kept of an event: that it happened, and what to look at."""

    id: str
    type: str
    customer_id: str
    object_id: str


@dataclass(frozen=True, slots=True)
class MoneyNote:
    """A refund or a dispute, as the audit log tells it."""

    customer_id: str
    detail: str


@dataclass(frozen=True, slots=True)
class Drift:
    """What was not as Stripe has it: of which account, or of which customer where there is none."""

    subject: str
    what: str
