"""The plan of an account, and where to pay for it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mailkeep.domain.billing import AfterTheEnd, BillingView, Interval
from mailkeep.domain.tier import Tier
from mailkeep_api.schemas.shapes import In, Instant, Out


class PlanOut(Out):
    """The limits of a tier."""

    name: str = Field(examples=["paid"])
    addresses: int
    retention_days: int
    received_per_hour: int
    storage_bytes: int
    api_requests_per_minute: int
    features: tuple[str, ...] = Field(examples=[["support by email"]])

    @classmethod
    def of(cls, tier: Tier) -> PlanOut:
        return cls(
            name=tier.name,
            addresses=tier.addresses,
            retention_days=tier.retention_days,
            received_per_hour=tier.received_per_hour,
            storage_bytes=tier.storage_bytes,
            api_requests_per_minute=tier.api_requests_per_minute,
            features=tier.features,
        )


class SubscriptionOut(Out):
    """What is paid for. `status` is Stripe's word. `cancel_at`: when it ends, null when it goes on.

    `grace_until`: a payment is past due, and until then the plan stays as it is.
    """

    status: str = Field(examples=["active"])
    interval: Interval | None
    period_end: Instant | None
    cancel_at: Instant | None
    grace_until: Instant | None


class AfterTheEndOut(Out):
    """What happens when the subscription ends: nothing is deleted at once.

    `addresses_inactive` become inactive, the oldest stay. Mail is kept for `retention_days` more at most. Where
    `over_quota` is true new mail is refused until there is room.
    """

    plan: str = Field(examples=["free"])
    addresses_inactive: tuple[str, ...] = Field(examples=[["signup-tests@mail.test"]])
    retention_days: int
    over_quota: bool

    @classmethod
    def of(cls, after: AfterTheEnd) -> AfterTheEndOut:
        return cls(
            plan=after.tier.name,
            addresses_inactive=after.inactive,
            retention_days=after.tier.retention_days,
            over_quota=after.over_quota,
        )


class BillingOut(Out):
    """The plan now, the plans there are, and what is offered. `can_subscribe`: a checkout would be accepted."""

    plan: PlanOut
    plans: tuple[PlanOut, ...]
    offers: tuple[Interval, ...] = Field(examples=[["monthly"]])
    can_subscribe: bool
    has_portal: bool
    subscription: SubscriptionOut | None
    after_the_end: AfterTheEndOut | None

    @classmethod
    def of(cls, view: BillingView) -> BillingOut:
        found = view.subscription
        return cls(
            plan=PlanOut.of(view.tier),
            plans=(PlanOut.of(view.basic), PlanOut.of(view.paid)),
            offers=view.offers,
            can_subscribe=not view.is_subscribed and view.tier.name == view.basic.name,
            has_portal=view.has_customer,
            subscription=None
            if found is None
            else SubscriptionOut(
                status=found.status,
                interval=view.interval,
                period_end=found.period_end,
                cancel_at=found.cancel_at,
                grace_until=view.grace_until,
            ),
            after_the_end=AfterTheEndOut.of(view.after_the_end) if view.after_the_end is not None else None,
        )


class CheckoutIn(In):
    interval: Literal["monthly", "yearly"] = Field(default="monthly", examples=["monthly"])


class PlaceOut(Out):
    """Where a browser goes on, at Stripe: good for a short while, and for whoever has it."""

    url: str = Field(examples=["https://checkout.stripe.com/c/pay/cs_test_a1"])
