"""Comparing what we keep with what Stripe says, of all accounts, and mending what differs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mailkeep.domain.account import AccountStatus
from mailkeep.domain.billing import Drift, Subscription
from mailkeep.domain.clock import Clock
from mailkeep.domain.scope import Actor, Scope
from mailkeep.errors import NotFound
from mailkeep.services.billing_events import BillingEvents
from mailkeep.services.stripe_gateway import StripeGateway
from mailkeep.services.subscription_sync import SubscriptionSync
from mailkeep.storage import accounts, stripe_cancellations
from mailkeep.storage.database import Database

_AT_ONCE: Final = 100


class BillingReconciling:
    """For the scope `admin`: after an outage, after a restored backup, or now and then."""

    def __init__(
        self,
        database: Database,
        stripe: StripeGateway,
        sync: SubscriptionSync,
        events: BillingEvents,
        *,
        clock: Clock,
    ) -> None:
        self._database = database
        self._stripe = stripe
        self._sync = sync
        self._events = events
        self._clock = clock

    async def reconcile(self, actor: Actor, progress: Callable[[int], None] = lambda _: None) -> list[Drift]:
        """What was not as Stripe has it, and now is; `progress` is told how many accounts were looked at.

        Raises NotAllowed, BillingOff, PaymentsUnavailable; what is mended stays mended.
        """
        actor.require(Scope.ADMIN)
        found = [drift async for each in self._stripe.all_subscriptions() if (drift := await self._adopt(each))]
        after, looked_at = "", 0
        while batch := await self._accounts(after):
            for account_id in batch:
                looked_at += 1
                try:
                    _, change = await self._sync.look(account_id)
                except NotFound:  # deleted meanwhile: what it pays for is queued to be cancelled
                    continue
                found += [Drift(account_id, change)] if change else []
                progress(looked_at)
            after = batch[-1]
        await self._events.work_off()
        return found

    async def _accounts(self, after: str) -> list[str]:
        async with self._database.read() as connection:
            return await accounts.with_customer(connection, after=after, limit=_AT_ONCE)

    async def _adopt(self, found: Subscription) -> Drift | None:
        """A subscription whose account has forgotten its customer, or is gone."""
        async with self._database.write() as connection:
            try:
                account = await accounts.get(connection, found.account_id)
            except NotFound:
                return Drift(found.customer_id, "pays for an account that never was here: look at it in Stripe")
            known = await accounts.customer_id(connection, account.id)
            if account.status is AccountStatus.DELETED:
                await stripe_cancellations.add(connection, found.customer_id, now=self._clock())
                return Drift(account.id, "deleted, and paid for: the subscription is cancelled")
            if known is None:
                await accounts.set_customer_id(connection, account.id, found.customer_id)
                return Drift(account.id, "had forgotten its customer at Stripe")
        if known != found.customer_id:
            return Drift(account.id, "is paid for by two customers: look at both in Stripe")
        return None
