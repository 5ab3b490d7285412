"""A double of Stripe that speaks its HTTP on a real socket: what it answers, what it refuses, and its webhooks.

It is as strict as Stripe where that shows faults: a wrong key, a parameter it does not know, a thing that is not
there. Every payment in it carries a card number and a CVC, which must never be seen again.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any, Final

from aiohttp import web

from mailkeep.domain.clock import utc_now

SECRET_KEY: Final = "sk_test_51MailkeepTestKey"
WEBHOOK_SECRET: Final = "whsec_mailkeeptestsecret"
MONTHLY: Final = "price_monthly"
YEARLY: Final = "price_yearly"
PERIOD: Final = {MONTHLY: timedelta(days=30), YEARLY: timedelta(days=365)}
CARD_NUMBER: Final = "4000056655665556"
CVC: Final = "cvc7391"  # four digits alone are in one MAC of a thousand, which is hexadecimal
_KEY: Final = re.compile(r"\[(\w*)\]")
_KNOWN: Final = {
    "POST /v1/customers": {"email", "metadata"},
    "POST /v1/checkout/sessions": {
        "mode", "customer", "client_reference_id", "line_items", "subscription_data", "success_url", "cancel_url",
    },
    "GET /v1/checkout/sessions": {"customer", "status", "limit"},
    "POST /v1/billing_portal/sessions": {"customer", "return_url"},
    "GET /v1/subscriptions": {"customer", "status", "limit", "expand", "starting_after"},
}  # fmt: skip

SLOW_S: Final = 60

Thing = dict[str, Any]


class StripeDouble:
    """`url` is where it listens. `fault`: `down` hangs up, `slow` waits, `500` fails; "" works.

    `failing`: customers and things of which nothing is answered. `before` is awaited with each request's method and
    path before it is answered: what happens at that moment.
    """

    def __init__(self, clock: Callable[[], datetime] = utc_now) -> None:
        self.url = ""
        self.fault = ""
        self.page_size = 100
        self.failing: set[str] = set()
        self.before: Callable[[str], Awaitable[None]] | None = None
        self.requests: list[str] = []
        self.customers: dict[str, Thing] = {}
        self.sessions: dict[str, Thing] = {}
        self.subscriptions: dict[str, Thing] = {}
        self.charges: dict[str, Thing] = {}
        self.disputes: dict[str, Thing] = {}
        self._clock = clock
        self._by_key: dict[str, Thing] = {}
        self._count = 0

    def pay(self, url: str) -> tuple[Thing, list[Thing]]:
        """The customer pays on the page of a checkout: the subscription, and the events."""
        session = self.sessions[url.rpartition("/")[2]]
        assert session["status"] == "open"
        session |= {"status": "complete", "payment_status": "paid"}
        price, now = session["price"], int(self._clock().timestamp())
        subscription = {
            "id": self._id("sub"),
            "object": "subscription",
            "customer": session["customer"],
            "status": "active",
            "created": now,
            "metadata": session["subscription_metadata"],
            "cancel_at_period_end": False,
            "cancel_at": None,
            "default_payment_method": _card(),
            "items": {"object": "list", "data": [{"id": self._id("si"), "price": {"id": price, "object": "price"}}]},
        }
        self.subscriptions[subscription["id"]] = subscription
        self._bill(subscription, now, paid=True)
        session["subscription"] = subscription["id"]
        events = [
            self.event("checkout.session.completed", session),
            self.event("customer.subscription.created", subscription),
            self.event("invoice.paid", subscription["latest_invoice"]),
        ]
        return subscription, events

    def renew(self, subscription: Thing, *, paid: bool = True) -> list[Thing]:
        """A period is over: the next one is paid, or its payment fails."""
        self._bill(subscription, subscription["items"]["data"][0]["current_period_end"], paid=paid)
        subscription["status"] = "active" if paid else "past_due"
        name = "invoice.paid" if paid else "invoice.payment_failed"
        return [
            self.event(name, subscription["latest_invoice"]),
            self.event("customer.subscription.updated", subscription),
        ]

    def recover(self, subscription: Thing) -> list[Thing]:
        """What was past due is paid."""
        subscription["status"] = "active"
        subscription["latest_invoice"]["status"] = "paid"
        return [
            self.event("invoice.paid", subscription["latest_invoice"]),
            self.event("customer.subscription.updated", subscription),
        ]

    def cancel_at_period_end(self, subscription: Thing, *, cancel: bool = True) -> list[Thing]:
        """The customer cancels, or takes that back, in the portal."""
        subscription["cancel_at_period_end"] = cancel
        return [self.event("customer.subscription.updated", subscription)]

    def end(self, subscription: Thing) -> list[Thing]:
        """It is over, by itself or by an immediate cancellation."""
        subscription["status"] = "canceled"
        return [self.event("customer.subscription.deleted", subscription)]

    def refund(self, subscription: Thing) -> list[Thing]:
        charge = self.charges[subscription["latest_invoice"]["charge"]]
        charge["amount_refunded"] = charge["amount"]
        return [self.event("charge.refunded", charge)]

    def dispute(self, subscription: Thing) -> list[Thing]:
        dispute = {
            "id": self._id("du"),
            "object": "dispute",
            "charge": subscription["latest_invoice"]["charge"],
            "amount": 900,
            "currency": "gbp",
            "reason": "fraudulent",
            "status": "needs_response",
            "payment_method_details": _card(),
        }
        self.disputes[dispute["id"]] = dispute
        return [self.event("charge.dispute.created", dispute)]

    def event(self, kind: str, thing: Thing, **members: Any) -> Thing:
        """An event as it would be sent now; its object is what it was at this moment."""
        return {
            "id": self._id("evt"),
            "object": "event",
            "type": kind,
            "api_version": "2026-10-28.endive",
            "created": int(self._clock().timestamp()),
            "livemode": False,
            "data": {"object": deepcopy(thing)},
            **members,
        }

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(f"{request.method} {request.path}")
        if self.fault == "down" and request.transport is not None:
            request.transport.close()
            raise web.HTTPServiceUnavailable
        if self.fault == "slow":
            await asyncio.sleep(SLOW_S)
        if self.fault == "500":
            return _error(500, "api_error", "")
        if request.headers.get("Authorization") != f"Bearer {SECRET_KEY}" or "Stripe-Version" not in request.headers:
            return _error(401, "invalid_request_error", "")
        if self.before is not None:
            await self.before(f"{request.method} {request.path}")
        given = _nested(dict((await request.post()) or request.query))
        if {given.get("customer"), request.match_info.get("id")} & self.failing:
            return _error(500, "api_error", "")
        route = f"{request.method} {request.path}"
        if route in _KNOWN and (unknown := set(given) - _KNOWN[route]):
            return _error(400, "invalid_request_error", f"parameter_unknown: {unknown}")
        try:
            return web.json_response(self._handle(request, given))
        except KeyError:
            return _error(404 if request.match_info.get("id") else 400, "invalid_request_error", "resource_missing")

    def _handle(self, request: web.Request, given: Mapping[str, Any]) -> Any:  # noqa: C901  a table of routes
        id_, key = request.match_info.get("id", ""), request.headers.get("Idempotency-Key", "")
        match request.method, request.match_info["kind"], id_:
            case "POST", "customers", "":
                if key not in self._by_key:
                    self._by_key[key] = self._customer(given)
                return self._by_key[key]
            case "POST", "checkout/sessions", "":
                return self._session(given)
            case "GET", "checkout/sessions", "":
                found = [each for each in self.sessions.values() if each["customer"] == given["customer"]]
                return _page([each for each in found if each["status"] == given["status"]], more=False)
            case "POST", "checkout/sessions", _:
                assert request.path.endswith("/expire")
                self.sessions[id_] |= {"status": "expired"}
                return self.sessions[id_]
            case "POST", "billing_portal/sessions", "":
                self.customers[given["customer"]]
                return {"object": "billing_portal.session", "url": f"https://billing.stripe.test/p/{given['customer']}"}
            case "GET", "subscriptions", "":
                return self._list_subscriptions(given)
            case "DELETE", "subscriptions", _:
                if self.subscriptions[id_]["status"] == "canceled":
                    raise KeyError(id_)
                self.subscriptions[id_] |= {"status": "canceled"}
                return self.subscriptions[id_]
            case "GET", "charges", _:
                return self.charges[id_]
            case "GET", "disputes", _:
                return self.disputes[id_]
        raise KeyError(request.path)

    def _customer(self, given: Mapping[str, Any]) -> Thing:
        customer = {"id": self._id("cus"), "object": "customer", **given}
        self.customers[customer["id"]] = customer
        return customer

    def _session(self, given: Mapping[str, Any]) -> Thing:
        self.customers[given["customer"]]
        session = {
            "id": self._id("cs_test"),
            "object": "checkout.session",
            "customer": given["customer"],
            "client_reference_id": given["client_reference_id"],
            "mode": given["mode"],
            "status": "open",
            "price": given["line_items"]["0"]["price"],
            "subscription_metadata": given["subscription_data"]["metadata"],
            "success_url": given["success_url"],
        }
        session["url"] = f"https://checkout.stripe.test/c/pay/{session['id']}"
        self.sessions[session["id"]] = session
        return session

    def _list_subscriptions(self, given: Mapping[str, Any]) -> Thing:
        if "customer" in given:
            self.customers[given["customer"]]
        assert given["expand"] == {"0": "data.latest_invoice"}
        found = [
            each
            for each in reversed(self.subscriptions.values())
            if given.get("customer", each["customer"]) == each["customer"]
            and (given.get("status") == "all" or each["status"] != "canceled")
        ]
        if after := given.get("starting_after"):
            found = found[[each["id"] for each in found].index(after) + 1 :]
        return _page(found[: self.page_size], more=len(found) > self.page_size)

    def _bill(self, subscription: Thing, start: int, *, paid: bool) -> None:
        item = subscription["items"]["data"][0]
        length = int(PERIOD[item["price"]["id"]].total_seconds())
        item |= {"current_period_start": start, "current_period_end": start + length}
        charge = {
            "id": self._id("ch"),
            "object": "charge",
            "customer": subscription["customer"],
            "amount": 900,
            "amount_refunded": 0,
            "currency": "gbp",
            "payment_method_details": _card(),
        }
        self.charges[charge["id"]] = charge
        subscription["latest_invoice"] = {
            "id": self._id("in"),
            "object": "invoice",
            "customer": subscription["customer"],
            "created": start,
            "status": "paid" if paid else "open",
            "charge": charge["id"],
            "payment_settings": _card(),
        }

    def _id(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}_{self._count:04d}Mailkeep"


@asynccontextmanager
async def running_stripe(clock: Callable[[], datetime] = utc_now) -> AsyncIterator[StripeDouble]:
    """On a loopback port of its own."""
    double = StripeDouble(clock)
    app = web.Application()
    kinds = "customers|checkout/sessions|billing_portal/sessions|subscriptions|charges|disputes"
    for path in (f"/v1/{{kind:{kinds}}}", f"/v1/{{kind:{kinds}}}/{{id:[^/]+}}", f"/v1/{{kind:{kinds}}}/{{id}}/expire"):
        app.router.add_route("*", path, double._answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    double.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield double
    finally:
        await runner.cleanup()


def settings_for_stripe(double: StripeDouble) -> dict[str, str]:
    """[billing] for a service that sells by this double."""
    return {
        "secret_key": SECRET_KEY,
        "webhook_secret": WEBHOOK_SECRET,
        "price_monthly": MONTHLY,
        "price_yearly": YEARLY,
        "shown_yearly": "£90 a year",
        "api_base": double.url,
    }


def payload_of(event: Thing) -> bytes:
    """The bytes that Stripe sends: JSON with spaces, as it writes it."""
    return json.dumps(event, indent=2).encode()


def signature_of(payload: bytes, *, secret: str = WEBHOOK_SECRET, age_s: float = 0) -> str:
    """Stripe-Signature, by Stripe's description of it and not by the library that checks it."""
    at = int(time.time() - age_s)
    code = hmac.new(secret.encode(), f"{at}.".encode() + payload, hashlib.sha256).hexdigest()
    return f"t={at},v1={code},v0={'0' * 64}"


def _card() -> Thing:
    return {"type": "card", "card": {"number": CARD_NUMBER, "cvc": CVC, "last4": CARD_NUMBER[-4:]}}


def _page(found: list[Thing], *, more: bool) -> Thing:
    return {"object": "list", "data": found, "has_more": more, "url": "/v1/subscriptions"}


def _error(status: int, kind: str, code: str) -> web.Response:
    return web.json_response({"error": {"type": kind, "code": code, "message": f"card {CARD_NUMBER}"}}, status=status)


def _nested(flat: Mapping[str, Any]) -> Thing:
    """`a[0][b]=c` as {"a": {"0": {"b": "c"}}}."""
    found: Thing = {}
    for name, value in flat.items():
        first, *rest = [name.partition("[")[0], *_KEY.findall(name)]
        inner, keys = found, [first, *rest]
        for key in keys[:-1]:
            inner = inner.setdefault(key, {})
        inner[keys[-1]] = value
    return found
