"""Stripe's webhooks: verified, recorded once each, and answered in time; what could not be done is done later."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from mailkeep.config import Billing
from mailkeep.domain.billing import StripeEvent
from mailkeep.domain.clock import Clock
from mailkeep.domain.scope import Actor
from mailkeep.errors import NotFound, Unavailable
from mailkeep.services.audit import AuditTrail
from mailkeep.services.rounds import Rounds
from mailkeep.services.stripe_gateway import StripeGateway
from mailkeep.services.subscription_sync import STRIPE, SubscriptionSync
from mailkeep.storage import accounts, stripe_cancellations, stripe_events, subscriptions
from mailkeep.storage.database import Database

log: structlog.stdlib.BoundLogger = structlog.get_logger()

SYNCING: Final = frozenset(
    {
        "checkout.session.completed",
        "customer.subscription.created",
        "customer.subscription.updated",
        "customer.subscription.deleted",
        "customer.subscription.paused",
        "customer.subscription.resumed",
        "invoice.paid",
        "invoice.payment_failed",
    }
)
REFUND: Final = "charge.refunded"
DISPUTES: Final = frozenset({"charge.dispute.created", "charge.dispute.closed"})
HEEDED: Final = SYNCING | DISPUTES | {REFUND}

ANSWER_S: Final = 2.5  # Stripe is to be answered within 5 seconds
LOOK_S: Final = 60
# An event that came later than this may be under way in another process.
_SETTLED: Final = timedelta(seconds=30)
# Longer than Stripe sends an event again, which is three days, or by hand, which is thirty.
_REMEMBERED: Final = timedelta(days=35)
_AT_ONCE: Final = 100


class BillingEvents:
    """Takes webhooks, and works off what is left to do with Stripe: events, cancellations, looks that are due."""

    def __init__(
        self,
        database: Database,
        trail: AuditTrail,
        stripe: StripeGateway,
        sync: SubscriptionSync,
        settings: Billing,
        *,
        clock: Clock,
    ) -> None:
        self._database = database
        self._trail = trail
        self._stripe = stripe
        self._sync = sync
        self._enabled = settings.enabled
        self._clock = clock
        self._rounds = Rounds("billing", self.work_off, every_s=LOOK_S, at_once=True)

    def running(self) -> AbstractAsyncContextManager[None]:
        """Works off while the block lasts; does nothing where billing is off."""
        return self._rounds.running() if self._enabled else nullcontext()

    def wake(self) -> None:
        """Something was queued, and that is committed."""
        self._rounds.wake()

    async def receive(self, actor: Actor, payload: bytes, signature: str) -> None:
        """Take a webhook: `payload` is its body as it came, `signature` its Stripe-Signature.

        Returns when it is recorded, done or not. Raises BillingOff, SignatureInvalid; DatabaseUnavailable, and Stripe
        sends it again.
        """
        event = await self._stripe.verified(payload, signature)
        if event is None or event.type not in HEEDED:
            return
        async with self._database.write() as connection:
            is_new = await stripe_events.add(connection, event, now=self._clock())
        if not is_new:
            return
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._process(event, replace(STRIPE, origin=actor.origin))
        except (Unavailable, TimeoutError) as error:
            log.warning("billing.event_waits", event_id=event.id, type=event.type, reason=type(error).__name__)

    async def work_off(self) -> None:
        """All that can be done is done; then the last PaymentsUnavailable or DatabaseUnavailable is raised."""
        await self._stripe.load()  # so that no webhook has to wait for it
        failures = await self._cancel()
        async with self._database.read() as connection:
            waiting = await stripe_events.waiting(connection, before=self._clock() - _SETTLED, limit=_AT_ONCE)
            due = await subscriptions.due(connection, self._clock(), limit=_AT_ONCE)
        for event in waiting:
            failures += await _tried(self._process(event, STRIPE), event_id=event.id)
        for account_id in due:
            failures += await _tried(self._look(account_id), account_id=account_id)
        async with self._database.write() as connection:
            await stripe_events.forget(connection, before=self._clock() - _REMEMBERED, limit=_AT_ONCE)
        if failures:
            raise failures[-1]

    async def _process(self, event: StripeEvent, actor: Actor) -> None:
        """What an event asks for, and the mark that it is done; money that goes back is noted together with it."""
        customer_id, detail = event.customer_id, ""
        if event.type not in SYNCING:
            try:
                ask = self._stripe.refund if event.type == REFUND else self._stripe.dispute
                note = await ask(event.object_id)
                customer_id, detail = note.customer_id, note.detail
            except NotFound:
                log.warning("billing.event_of_nothing", event_id=event.id, type=event.type)
        async with self._database.read() as connection:
            account = await accounts.by_customer_id(connection, customer_id) if customer_id else None
        if account is not None and event.type in SYNCING:
            await self._look(account.id)
        async with self._database.write() as connection:
            if not await stripe_events.claim(connection, event.id, now=self._clock()):
                return
            if account is not None and detail:
                action = "billing.refund" if event.type == REFUND else "billing.dispute"
                await self._trail.write(
                    connection, actor, action, resource=event.object_id, detail=detail, account_id=account.id
                )
        log.info("billing.event", event_id=event.id, type=event.type, known=account is not None)

    async def _look(self, account_id: str) -> None:
        try:
            await self._sync.look(account_id)
        except NotFound:
            await self._cancel()

    async def _cancel(self) -> list[Unavailable]:
        """End what customers pay for whose account is gone; what fails is tried in the next round."""
        async with self._database.read() as connection:
            pending = await stripe_cancellations.pending(connection, limit=_AT_ONCE)
        failures: list[Unavailable] = []
        for customer_id, queued_at in pending:
            failures += await _tried(self._cancel_one(customer_id, queued_at), customer_id=customer_id)
        return failures

    async def _cancel_one(self, customer_id: str, queued_at: datetime) -> None:
        ended = await self._stripe.cancel_all(customer_id)
        async with self._database.write() as connection:
            await stripe_cancellations.done(connection, customer_id, queued_at=queued_at)
        log.info("billing.cancelled", subscriptions=ended)


async def _tried(item: Awaitable[None], **ids: str) -> list[Unavailable]:
    """Do one thing of many: a failure is logged, and must not keep the others from being done."""
    try:
        await item
    except Unavailable as error:
        log.warning("billing.item_waits", reason=type(error).__name__, **ids)
        return [error]
    except Exception as error:  # noqa: BLE001  whatever it is, it is tried again in the next round
        log.error("billing.item_failed", reason=type(error).__name__, **ids)  # noqa: TRY400  its text may hold more
    return []
