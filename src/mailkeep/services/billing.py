"""A customer's plan: what it is, paying for more, and the way to Stripe's own pages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

import structlog

from mailkeep.config import Settings
from mailkeep.domain.account import Account
from mailkeep.domain.billing import ENDED, PAST_DUE, AfterTheEnd, BillingView, Interval, Kept
from mailkeep.domain.clock import Clock
from mailkeep.domain.scope import Actor, Scope
from mailkeep.domain.tier import Tier
from mailkeep.errors import (
    AlreadySubscribed,
    BillingOff,
    InvalidInput,
    NotAllowed,
    NotFound,
    NotSubscribed,
    PaymentsUnavailable,
)
from mailkeep.services.audit import AuditTrail
from mailkeep.services.stripe_gateway import StripeGateway
from mailkeep.services.subscription_sync import SubscriptionSync
from mailkeep.storage import accounts, addresses, subscriptions, users
from mailkeep.storage.database import Database

log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger()

PATH: Final = "/billing"  # the customer's page, to which Stripe's pages lead back


class Billing:
    """Every method raises BillingOff where nothing is sold, and NotAllowed."""

    def __init__(
        self,
        database: Database,
        trail: AuditTrail,
        stripe: StripeGateway,
        sync: SubscriptionSync,
        settings: Settings,
        *,
        clock: Clock,
    ) -> None:
        self._database = database
        self._trail = trail
        self._stripe = stripe
        self._sync = sync
        self._settings = settings
        self._sold = settings.billing
        self._clock = clock

    async def view(self, actor: Actor) -> BillingView:
        """The plan as we know it; asks nobody."""
        self._require_enabled()
        account_id = actor.owner(Scope.ACCOUNT_READ)
        basic = self._settings.tier(self._sold.basic_tier)
        async with self._database.read() as connection:
            account = await accounts.get(connection, account_id)
            customer_id = await accounts.customer_id(connection, account_id)
            kept = await subscriptions.get(connection, account_id)
            inactive = await addresses.active_names(connection, account_id)
        return self._view(
            account, kept, basic, tuple(inactive[basic.addresses :]), has_customer=customer_id is not None
        )

    async def look(self, actor: Actor) -> BillingView:
        """As `view`, after asking Stripe: whoever has just paid need not wait for a notice of it.

        Raises PaymentsUnavailable.
        """
        self._require_enabled()
        await self._sync.look(actor.owner(Scope.ACCOUNT_READ))
        return await self.view(actor)

    async def checkout(self, actor: Actor, interval: Interval) -> str:
        """The address of the page where the tier is paid for.

        Raises AlreadySubscribed, also when only Stripe knows that; InvalidInput for an interval that is not offered;
        PaymentsUnavailable, and nothing is changed then.
        """
        account_id = self._payer(actor)
        price_id = self._sold.prices.get(interval)
        if price_id is None:
            raise InvalidInput("not offered", field="interval")
        customer_id = await self._customer(actor, account_id)
        kept, _ = await self._sync.look(account_id)
        if _is_running(kept):
            raise AlreadySubscribed("change it, or cancel it, in the portal")
        async with self._database.read() as connection:
            tier = (await accounts.get(connection, account_id)).tier
        if tier != self._sold.basic_tier:
            raise AlreadySubscribed("the account was given a plan: paying would change nothing")
        with _known_to_stripe(account_id):
            url = await self._stripe.checkout_url(account_id, customer_id, price_id, back_to=self._back_to)
        await self._trail.note(actor, "billing.checkout", detail=f"interval={interval.value}")
        return url

    async def portal(self, actor: Actor) -> str:
        """The address of Stripe's page where a subscription is managed.

        Raises NotSubscribed for whoever never began to pay; PaymentsUnavailable.
        """
        account_id = self._payer(actor)
        async with self._database.read() as connection:
            customer_id = await accounts.customer_id(connection, account_id)
        if customer_id is None:
            raise NotSubscribed("there is nothing to manage")
        with _known_to_stripe(account_id):
            url = await self._stripe.portal_url(customer_id, back_to=self._back_to)
        await self._trail.note(actor, "billing.portal")
        return url

    @property
    def _back_to(self) -> str:
        return f"{self._settings.public_url}{PATH}"

    def _require_enabled(self) -> None:
        if not self._sold.enabled:
            raise BillingOff("no keys of Stripe's are configured")

    def _payer(self, actor: Actor) -> str:
        self._require_enabled()
        account_id = actor.owner(Scope.ACCOUNT_WRITE)
        if actor.session_id is None:
            raise NotAllowed("only for whoever logged in")
        return account_id

    async def _customer(self, actor: Actor, account_id: str) -> str:
        """Whom Stripe knows the account as; known here before anything can be paid."""
        async with self._database.read() as connection:
            known = await accounts.customer_id(connection, account_id)
            user = await users.get(connection, account_id, actor.user_id or "")
        if known is not None:
            return known
        created = await self._stripe.create_customer(account_id, user.email)
        async with self._database.write() as connection:
            await accounts.lock_one(connection, account_id)
            known = await accounts.customer_id(connection, account_id)
            if known is None:
                await accounts.set_customer_id(connection, account_id, created)
        return known or created

    def _view(
        self, account: Account, kept: Kept, basic: Tier, inactive: tuple[str, ...], *, has_customer: bool
    ) -> BillingView:
        subscription = kept.subscription
        prices = {price: interval for interval, price in self._sold.prices.items()}
        ends = AfterTheEnd(basic, inactive, over_quota=account.storage_bytes >= basic.storage_bytes)
        return BillingView(
            tier=self._settings.tier(account.tier),
            basic=basic,
            paid=self._settings.tier(self._sold.tier),
            subscription=subscription,
            interval=prices.get(subscription.price_id) if subscription is not None else None,
            grace_until=self._grace_until(kept),
            has_customer=has_customer,
            is_subscribed=_is_running(kept),
            offers=tuple(self._sold.prices),
            after_the_end=ends if account.tier == self._sold.tier else None,
        )

    def _grace_until(self, kept: Kept) -> datetime | None:
        found = kept.subscription
        if found is None or found.status != PAST_DUE or found.past_due_since is None:
            return None
        return found.past_due_since + self._sold.grace


def _is_running(kept: Kept) -> bool:
    return kept.subscription is not None and kept.subscription.status not in ENDED | {"incomplete"}


@contextmanager
def _known_to_stripe(account_id: str) -> Iterator[None]:
    """What Stripe does not know (a wrong key or price) is the operator's to mend, and nothing that is not here."""
    try:
        yield
    except NotFound as error:
        log.error("billing.customer_or_price_unknown", account_id=account_id, reason=type(error).__name__)  # noqa: TRY400  said
        raise PaymentsUnavailable("Stripe does not know the customer or the price") from error
