"""Bringing an account in line with what Stripe says of it now, whatever made us look.

No event is trusted for what it says: each is a reason to ask. Looks can overlap, so each takes a number before it
asks, and an answer is dropped when one of a later number is kept already: that one was asked for later than whatever
this one was made for. So the end is the same in any order of events.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.config import Billing
from mailkeep.domain.billing import ENDED, PAYING, Kept, Subscription, in_force
from mailkeep.domain.clock import Clock
from mailkeep.domain.scope import Actor
from mailkeep.domain.tier import TierChanged
from mailkeep.errors import NotFound, PaymentsUnavailable
from mailkeep.services.audit import AuditTrail
from mailkeep.services.stripe_gateway import StripeGateway
from mailkeep.services.tier_change import TierChange
from mailkeep.storage import accounts, stripe_cancellations, subscriptions
from mailkeep.storage.accounts import Ledger
from mailkeep.storage.database import Database

log: structlog.stdlib.BoundLogger = structlog.get_logger()

ACTION: Final = "billing.subscription"
# As the audit log has it: a service of ours acts, because Stripe said so.
STRIPE: Final = Actor(scopes=frozenset(), token_id="stripe")  # noqa: S106  a name


class SubscriptionSync:
    """Looks at Stripe and applies what it says."""

    def __init__(
        self,
        database: Database,
        trail: AuditTrail,
        stripe: StripeGateway,
        tier_change: TierChange,
        settings: Billing,
        *,
        clock: Clock,
    ) -> None:
        self._database = database
        self._trail = trail
        self._stripe = stripe
        self._tier_change = tier_change
        self._settings = settings
        self._clock = clock

    async def look(self, account_id: str) -> tuple[Kept, str]:
        """What is kept now, and what it changed here, "" for nothing.

        Of a deleted account: what it pays for is queued to be cancelled, and NotFound is raised. Raises BillingOff,
        PaymentsUnavailable, DatabaseUnavailable; nothing is changed then.
        """
        async with self._database.write() as connection:
            customer_id = await accounts.customer_id(connection, account_id)
            try:
                await accounts.lock_one(connection, account_id)
            except NotFound:
                gone = True
            else:
                gone = False
                ticket = await subscriptions.take_ticket(connection, account_id)
        if gone:
            await self._queue_cancellation(customer_id)
            raise NotFound("the account is gone")
        found = await self._of(account_id, customer_id) if customer_id is not None else []
        own = [each for each in found if self._is_for(each, account_id)]
        if sum(each.status in PAYING for each in own) > 1:
            log.error("billing.paid_twice", account_id=account_id)
        return await self._keep(account_id, in_force(own), ticket)

    async def _of(self, account_id: str, customer_id: str) -> list[Subscription]:
        """What Stripe has of a customer. One who pays and whom it does not know is a wrong key, not an end.

        Raises PaymentsUnavailable then.
        """
        try:
            return await self._stripe.subscriptions_of(customer_id)
        except NotFound as error:
            async with self._database.read() as connection:
                kept = (await subscriptions.get(connection, account_id)).subscription
            if kept is None or kept.status in ENDED:
                return []
            log.error("billing.customer_unknown", account_id=account_id)  # noqa: TRY400  the reason is said
            raise PaymentsUnavailable("Stripe does not know a customer who pays: is the key another's?") from error

    def _is_for(self, found: Subscription, account_id: str) -> bool:
        """Stripe may sell the same customer other things: those are none of our business."""
        return found.account_id == account_id or (
            not found.account_id and found.price_id in self._settings.prices.values()
        )

    async def _keep(self, account_id: str, found: Subscription | None, ticket: int) -> tuple[Kept, str]:
        async with self._database.write() as connection:
            ledger = await accounts.lock_one(connection, account_id)
            before = await subscriptions.get(connection, account_id)
            found = _past_due_as_before(before.subscription, found)
            if await subscriptions.applied(connection, account_id) > ticket:
                return before, ""
            kept, tier_changed = await self._applied(connection, ledger, before, found)
            await subscriptions.put(connection, kept, ticket=ticket, now=self._clock())
            change = _change(before, kept, tier_changed)
            if change:
                await self._trail.write(
                    connection,
                    STRIPE,
                    ACTION,
                    resource=found.id if found is not None else "",
                    detail=change,
                    account_id=account_id,
                )
        if tier_changed is not None:
            self._tier_change.made(account_id)
        return kept, change

    async def _applied(
        self, connection: AsyncConnection, ledger: Ledger, before: Kept, found: Subscription | None
    ) -> tuple[Kept, TierChanged | None]:
        """Give and take only what is for sale: a tier that an administrator gave beyond that stays."""
        now, grace = self._clock(), self._settings.grace
        entitled = found is not None and found.entitles(now, grace)
        tier = ledger.tier
        if entitled and tier == self._settings.basic_tier:
            tier = self._settings.tier
        elif not entitled and before.granted and tier == self._settings.tier:
            tier = self._settings.basic_tier
        changed = await self._tier_change.make(connection, ledger, tier)
        granted = entitled and tier == self._settings.tier
        again = found.look_again_at(now, grace) if found is not None else None
        return Kept(ledger.id, found, granted=granted, look_again_at=again), changed

    async def _queue_cancellation(self, customer_id: str | None) -> None:
        if customer_id is None:
            return
        try:
            found = await self._stripe.subscriptions_of(customer_id)
        except NotFound:  # it was queued when the account was deleted
            return
        if any(each.status not in ENDED for each in found):
            async with self._database.write() as connection:
                await stripe_cancellations.add(connection, customer_id, now=self._clock())


def _past_due_as_before(before: Subscription | None, found: Subscription | None) -> Subscription | None:
    """The grace begins with the first invoice that is not paid, and not again with each later one."""
    if before is None or found is None or before.id != found.id:
        return found
    if before.past_due_since is None or found.past_due_since is None:
        return found
    return replace(found, past_due_since=min(before.past_due_since, found.past_due_since))


def _change(before: Kept, after: Kept, tier: TierChanged | None) -> str:
    """In the audit log's words, "" when nothing has changed."""
    words = []
    old, new = before.subscription, after.subscription
    if _outline(old) != _outline(new):
        words.append(f"status={new.status if new is not None else 'none'}")
    if new is not None and new.cancel_at != (old.cancel_at if old is not None else None):
        words.append(f"cancel_at={new.cancel_at.isoformat() if new.cancel_at else 'never'}")
    return " ".join([*words, *([str(tier)] if tier is not None else [])])


def _outline(subscription: Subscription | None) -> tuple[str, str, str] | None:
    if subscription is None:
        return None
    return subscription.id, subscription.status, subscription.price_id
