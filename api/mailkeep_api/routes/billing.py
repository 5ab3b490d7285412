"""/billing: the plan, the way to Stripe's pages, and Stripe's webhook."""

from __future__ import annotations

from typing import Final

from mailkeep.domain.billing import Interval
from mailkeep.domain.scope import Scope
from mailkeep.errors import SignatureInvalid
from mailkeep_api.body import read_bytes
from mailkeep_api.rates.admission import admit
from mailkeep_api.routing import OWNER, PUBLIC, Call, Routes
from mailkeep_api.schemas.billing import BillingOut, CheckoutIn, PlaceOut

routes: Final = Routes("/api/v1/billing", tag="billing")


@routes.get("", scope=Scope.ACCOUNT_READ, audit="billing.view", returns=BillingOut, problems=("billing-off",))
async def get_billing(call: Call) -> BillingOut:
    """Your plan, what you pay for, and what would happen if you stopped. 404 where nothing is sold."""
    return BillingOut.of(await call.core.billing.view(call.actor))


@routes.post(
    "/checkout",
    scope=OWNER,
    audit="billing.checkout",
    body=CheckoutIn,
    returns=PlaceOut,
    secret=True,
    problems=("billing-off", "already-subscribed", "payments-unavailable"),
)
async def begin_checkout(call: Call, body: CheckoutIn) -> PlaceOut:
    """A page of Stripe's where the owner pays for the larger plan. One begun before is closed."""
    return PlaceOut(url=await call.core.billing.checkout(call.actor, Interval(body.interval)))


@routes.post(
    "/portal",
    scope=OWNER,
    audit="billing.portal",
    returns=PlaceOut,
    secret=True,
    problems=("billing-off", "not-subscribed", "payments-unavailable"),
)
async def open_portal(call: Call) -> PlaceOut:
    """A page of Stripe's where the owner changes card and plan, sees invoices, and cancels."""
    return PlaceOut(url=await call.core.billing.portal(call.actor))


@routes.post(
    "/webhook",
    scope=PUBLIC,
    audit="billing.webhook",
    returns=None,
    signed=True,
    problems=("billing-off", "signature-invalid", "request-timeout", "body-too-large"),
)
async def take_webhook(call: Call) -> None:
    """For Stripe alone: a signed event. It is answered 200 when it is recorded, whatever it says."""
    payload = await read_bytes(call.request)
    try:
        await call.core.billing_events.receive(call.actor, payload, call.request.headers.get("Stripe-Signature", ""))
    except SignatureInvalid:
        await admit(call.request, None)  # all of Stripe's come from few addresses; only strangers are counted
        raise
