"""Stripe, by its own library: the only module that knows it. Of what it answers, only what we keep goes further.

The library is large, so it is imported when it is first needed, in a thread. Its requests go over an aiohttp session
on the running loop.
"""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

import aiohttp
import structlog

from mailkeep.config import Billing
from mailkeep.domain.billing import ENDED, MoneyNote, StripeEvent, Subscription
from mailkeep.errors import BillingOff, NotFound, PaymentsUnavailable, SignatureInvalid

log: structlog.stdlib.BoundLogger = structlog.get_logger()

TOLERANCE_S: Final = 300
PAGE: Final = 100
OWNER_KEY: Final = "mailkeep_account"
_ASKED_AGAIN: Final = 1  # times, by the library, with the same idempotency key
_MAX_ID: Final = 255


class StripeGateway:
    """Asks Stripe. Every method raises BillingOff without keys, PaymentsUnavailable when Stripe does not answer."""

    def __init__(self, settings: Billing) -> None:
        self._settings = settings
        self._library: Any = None
        self._session: aiohttp.ClientSession | None = None
        self._client: Any = None

    async def create_customer(self, account_id: str, email: str) -> str:
        """The id of the account's customer; asked twice, it is the same one."""
        async with self._asking() as client:
            customer = await client.v1.customers.create_async(
                {"email": email, "metadata": {OWNER_KEY: account_id}},
                {"idempotency_key": f"mailkeep-customer-{account_id}"},
            )
        return str(customer.id)

    async def checkout_url(self, account_id: str, customer_id: str, price_id: str, *, back_to: str) -> str:
        """Where the customer pays. Every other page is closed, also one begun meanwhile, so that nobody pays twice.

        Raises NotFound for a customer or a price that Stripe does not know.
        """
        async with self._asking() as client:
            session = await client.v1.checkout.sessions.create_async(
                {
                    "mode": "subscription",
                    "customer": customer_id,
                    "client_reference_id": account_id,
                    "line_items": [{"price": price_id, "quantity": 1}],
                    "subscription_data": {"metadata": {OWNER_KEY: account_id}},
                    "success_url": f"{back_to}?paid=1",
                    "cancel_url": back_to,
                }
            )
            await self._expire_checkouts(client, customer_id, but=session.id)
        return str(session.url)

    async def portal_url(self, customer_id: str, *, back_to: str) -> str:
        """Where the customer changes card and plan, sees invoices, and cancels. Raises NotFound."""
        async with self._asking() as client:
            session = await client.v1.billing_portal.sessions.create_async(
                {"customer": customer_id, "return_url": back_to}
            )
        return str(session.url)

    async def subscriptions_of(self, customer_id: str) -> list[Subscription]:
        """All that the customer has and had. Raises NotFound for one that Stripe does not know."""
        query = {"customer": customer_id, "status": "all", "limit": PAGE, "expand": ["data.latest_invoice"]}
        async with self._asking() as client:
            page = await client.v1.subscriptions.list_async(query)
            return [_subscription(each) async for each in page.auto_paging_iter()]

    async def all_subscriptions(self) -> AsyncIterator[Subscription]:
        """Those of all customers that were made for an account here and have not ended."""
        async with self._asking() as client:
            page = await client.v1.subscriptions.list_async({"limit": PAGE, "expand": ["data.latest_invoice"]})
            async for each in page.auto_paging_iter():
                found = _subscription(each)
                if found.account_id and found.status not in ENDED:
                    yield found

    async def cancel_all(self, customer_id: str) -> int:
        """End whatever the customer pays for, at once, and what they may be about to pay; returns how many ended."""
        async with self._asking() as client:
            await self._expire_checkouts(client, customer_id)
        # Listed afterwards: what was paid on a page before it was closed is among them.
        running = [each for each in await self.subscriptions_of(customer_id) if each.status not in ENDED]
        return sum([await self._cancel(each.id) for each in running])

    async def refund(self, charge_id: str) -> MoneyNote:
        """What has been given back of a charge. Raises NotFound."""
        async with self._asking() as client:
            charge = await client.v1.charges.retrieve_async(charge_id)
        return MoneyNote(_id_of(charge, "customer"), f"refunded={_amount(charge, 'amount_refunded')}")

    async def dispute(self, dispute_id: str) -> MoneyNote:
        """What became of a customer's objection to a charge. Raises NotFound."""
        async with self._asking() as client:
            dispute = await client.v1.disputes.retrieve_async(dispute_id)
            charge = await client.v1.charges.retrieve_async(_id_of(dispute, "charge"))
        words = f"status={_word(dispute, 'status')} reason={_word(dispute, 'reason')}"
        return MoneyNote(_id_of(charge, "customer"), f"disputed={_amount(dispute, 'amount')} {words}")

    async def verified(self, payload: bytes, signature: str) -> StripeEvent | None:
        """The event in a webhook's body, whose bytes must be as they came; None for one that is not for us.

        Not for us is what concerns another account of Stripe's, or test payments where we live on real ones. Raises
        SignatureInvalid for what is not signed with our secret, or was more than five minutes ago.
        """
        library, secrets = await self.load(), (self._settings.webhook_secret, self._settings.previous_webhook_secret)
        if not any(_is_signed(library, payload, signature, secret.get_secret_value()) for secret in secrets if secret):
            raise SignatureInvalid("the signature is missing, wrong, or too old")
        return self._event(payload)

    async def load(self) -> Any:
        """The library, imported when it is asked for first. Raises BillingOff without keys."""
        if not self._settings.enabled:
            raise BillingOff("no keys of Stripe's are configured")
        if self._library is None:
            library: Any = await asyncio.to_thread(importlib.import_module, "stripe")
            library.enable_telemetry = False
            self._library = library
        return self._library

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    @property
    def _is_live(self) -> bool:
        key = self._settings.secret_key
        return key is not None and not key.get_secret_value().startswith(("sk_test_", "rk_test_"))

    def _event(self, payload: bytes) -> StripeEvent | None:
        try:
            event = json.loads(payload)
            thing = event["data"]["object"]
            found = StripeEvent(
                str(event["id"]), str(event["type"]), _id_of(thing, "customer"), str(thing.get("id") or "")
            )
            is_ours = event.get("account") is None and event.get("livemode") is self._is_live
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise SignatureInvalid("signed, and no event of Stripe's") from error
        if not all(0 < len(text) <= _MAX_ID for text in (found.id, found.type)) or len(found.object_id) > _MAX_ID:
            raise SignatureInvalid("signed, and no event of Stripe's")
        return found if is_ours else None

    async def _cancel(self, subscription_id: str) -> bool:
        """False for one that has ended meanwhile: Stripe says then that it is missing."""
        try:
            async with self._asking() as client:
                await client.v1.subscriptions.cancel_async(subscription_id)
        except NotFound:
            return False
        return True

    async def _expire_checkouts(self, client: Any, customer_id: str, *, but: str = "") -> None:
        page = await client.v1.checkout.sessions.list_async({"customer": customer_id, "status": "open", "limit": PAGE})
        for session in (each for each in page.data if each.id != but):
            await client.v1.checkout.sessions.expire_async(session.id)

    async def _open(self) -> Any:
        library = await self.load()
        if self._client is None and self._settings.secret_key is not None:
            self._session = aiohttp.ClientSession(trust_env=True)
            self._client = library.StripeClient(
                self._settings.secret_key.get_secret_value(),
                http_client=library.AIOHTTPClient(
                    session=self._session, timeout=aiohttp.ClientTimeout(total=self._settings.timeout_s)
                ),
                base_addresses={"api": self._settings.api_base},
                max_network_retries=_ASKED_AGAIN,
            )
        return self._client

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[Any]:
        """The library's client; what it raises becomes NotFound or PaymentsUnavailable, without its text."""
        client = await self._open()
        try:
            yield client
        except self._library.StripeError as error:
            code = getattr(error, "code", None)
            if code == "resource_missing":
                raise NotFound("Stripe does not know it") from error
            log.warning("stripe.failed", reason=type(error).__name__, code=code, status=error.http_status)
            raise PaymentsUnavailable("Stripe does not answer, or refuses what we ask") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("stripe.failed", reason=type(error).__name__)
            raise PaymentsUnavailable("Stripe does not answer") from error


@asynccontextmanager
async def open_stripe(settings: Billing) -> AsyncIterator[StripeGateway]:
    """Opens nothing before it is used."""
    gateway = StripeGateway(settings)
    try:
        yield gateway
    finally:
        await gateway.close()


def _is_signed(library: Any, payload: bytes, signature: str, secret: str) -> bool:
    if not signature.isascii():  # the library compares texts, which must be that
        return False
    try:
        library.WebhookSignature.verify_header(payload, signature, secret, tolerance=TOLERANCE_S)
    except (library.SignatureVerificationError, ValueError):
        return False
    return True


def _subscription(found: Any) -> Subscription:
    """A period is the item's since version 2025-03-31; an older one has it at the subscription."""
    item = found["items"]["data"][0] if found["items"]["data"] else {}
    invoice = _get(found, "latest_invoice")
    begun = _get(item, "current_period_start") or _get(found, "current_period_start")
    unpaid = (_get(invoice, "created") if invoice is not None and not isinstance(invoice, str) else None) or begun
    period_end = _moment(_get(item, "current_period_end") or _get(found, "current_period_end"))
    cancel_at = period_end if _get(found, "cancel_at_period_end") else _moment(_get(found, "cancel_at"))
    return Subscription(
        id=str(found["id"]),
        status=str(found["status"]),
        price_id=str(_get(_get(item, "price") or {}, "id") or ""),
        created_at=_moment(found["created"]) or datetime.fromtimestamp(0, UTC),
        account_id=str(_get(_get(found, "metadata") or {}, OWNER_KEY) or ""),
        customer_id=_id_of(found, "customer"),
        period_end=period_end,
        cancel_at=cancel_at,
        past_due_since=_moment(unpaid) if found["status"] == "past_due" else None,
    )


def _get(thing: Any, name: str) -> Any:
    """A member, None where it is missing; Stripe's objects have `in` and `[]`, and no `get`."""
    return thing[name] if thing is not None and name in thing else None


def _id_of(thing: Any, name: str) -> str:
    """The id of what a member refers to, which may be there as a whole."""
    value = _get(thing, name)
    found = value if isinstance(value, str) or value is None else _get(value, "id")
    return str(found or "")[:_MAX_ID]


def _word(thing: Any, name: str) -> str:
    """One of Stripe's own words."""
    return "".join(char for char in str(_get(thing, name) or "") if char.isalnum() or char == "_")[:40]


def _amount(thing: Any, name: str) -> str:
    """In the currency's smallest unit."""
    return f"{int(_get(thing, name) or 0)} currency={_word(thing, 'currency')}"


def _moment(seconds: Any) -> datetime | None:
    return datetime.fromtimestamp(int(seconds), UTC) if seconds is not None else None
