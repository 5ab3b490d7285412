"""Paying by Stripe: a subscription's whole life, in any order of events, against a double on a real socket."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from core.conftest import PASSWORD, Customer, deliver, new_customer, settings_for
from core.remains import columns_with
from mailkeep.bootstrap import Core, open_core
from mailkeep.domain.account import AccountStatus
from mailkeep.domain.address import AddressStatus
from mailkeep.domain.audit import ActorKind, AuditQuery
from mailkeep.domain.billing import Interval
from mailkeep.domain.scope import Actor, operator
from mailkeep.errors import (
    AlreadySubscribed,
    BillingOff,
    ConfigurationError,
    InvalidInput,
    NotSubscribed,
    PaymentsUnavailable,
)
from mailkeep.settings_loader import load_settings
from mailkeep.storage import schema, stripe_cancellations
from mailkeep.storage.upgrade import upgrade_schema
from services.clocks import Moving
from services.stripe import (
    CARD_NUMBER,
    CVC,
    MONTHLY,
    SECRET_KEY,
    YEARLY,
    StripeDouble,
    Thing,
    payload_of,
    running_stripe,
    settings_for_stripe,
    signature_of,
)

NOBODY = Actor(scopes=frozenset())
GRACE = timedelta(days=14)


@pytest.fixture
def clock() -> Moving:
    return Moving()


@pytest.fixture
async def stripe(clock: Moving) -> AsyncIterator[StripeDouble]:
    async with running_stripe(clock) as double:
        yield double


@pytest.fixture
async def core(tmp_path: Path, database_url: str, stripe: StripeDouble, clock: Moving) -> AsyncIterator[Core]:
    settings = settings_for(tmp_path, database_url, billing={**settings_for_stripe(stripe), "timeout_s": 2})
    await upgrade_schema(settings)
    async with open_core(settings, clock=clock) as core:
        yield core


async def send(core: Core, events: Iterable[Thing]) -> None:
    for event in events:
        payload = payload_of(event)
        await core.billing_events.receive(NOBODY, payload, signature_of(payload))


async def tier_of(customer: Customer) -> str:
    return (await customer.core.accounts.get(customer.actor)).tier


async def subscribed(core: Core, stripe: StripeDouble, customer: Customer, price: Interval = Interval.MONTHLY) -> Thing:
    subscription, events = stripe.pay(await core.billing.checkout(customer.actor, price))
    await send(core, events)
    assert await tier_of(customer) == "paid"
    return subscription


async def told(customer: Customer, action: str) -> list[str]:
    """The details of the customer's audit records of a deed, oldest first."""
    found, _ = await customer.core.audit.list(customer.actor, AuditQuery(action=action))
    return [record.detail for record in found][::-1]


async def test_the_life_of_a_subscription(core: Core, stripe: StripeDouble, alice: Customer, clock: Moving) -> None:
    before = await core.billing.view(alice.actor)
    assert (before.tier.name, before.is_subscribed, before.has_customer, before.subscription) == (
        "free",
        False,
        False,
        None,
    )
    assert before.offers == (Interval.MONTHLY, Interval.YEARLY)
    subscription = await subscribed(core, stripe, alice)
    view = await core.billing.view(alice.actor)
    assert (view.is_subscribed, view.interval) == (True, Interval.MONTHLY)

    clock.ahead += timedelta(days=30)
    await send(core, stripe.renew(subscription))
    assert await tier_of(alice) == "paid"

    clock.ahead += timedelta(days=30)
    await send(core, stripe.renew(subscription, paid=False))
    view = await core.billing.view(alice.actor)
    assert (view.tier.name, view.subscription and view.subscription.status) == ("paid", "past_due")
    assert view.grace_until == datetime.fromtimestamp(subscription["latest_invoice"]["created"], UTC) + GRACE
    await send(core, stripe.recover(subscription))
    assert (await core.billing.view(alice.actor)).grace_until is None

    await send(core, stripe.cancel_at_period_end(subscription))
    view = await core.billing.view(alice.actor)
    assert view.tier.name == "paid"
    assert view.subscription is not None
    assert view.subscription.cancel_at == view.subscription.period_end
    await send(core, stripe.cancel_at_period_end(subscription, cancel=False))
    view = await core.billing.view(alice.actor)
    assert view.subscription is not None
    assert view.subscription.cancel_at is None

    await send(core, stripe.cancel_at_period_end(subscription))
    clock.ahead += timedelta(days=30)
    await send(core, stripe.end(subscription))
    assert await tier_of(alice) == "free"
    view = await core.billing.view(alice.actor)
    assert (view.is_subscribed, view.has_customer) == (False, True)
    changes = await told(alice, "billing.subscription")
    assert changes[0] == "status=active from=free to=paid addresses_inactive=0"
    assert changes[-1] == "status=canceled from=paid to=free addresses_inactive=0"
    found, _ = await core.audit.list(alice.actor, AuditQuery(action="billing.subscription"))
    assert {(record.actor_kind, record.actor_id) for record in found} == {(ActorKind.SERVICE, "stripe")}
    assert {record.resource for record in found} == {subscription["id"]}

    again = await subscribed(core, stripe, alice, Interval.YEARLY)
    assert again["customer"] == subscription["customer"]
    assert again["items"]["data"][0]["price"]["id"] == YEARLY
    await send(core, stripe.end(again))  # at once
    assert await tier_of(alice) == "free"


async def test_what_is_unpaid_after_the_grace_ends_the_tier_without_any_event(
    core: Core, stripe: StripeDouble, alice: Customer, clock: Moving
) -> None:
    subscription = await subscribed(core, stripe, alice)
    clock.ahead += timedelta(days=30)
    await send(core, stripe.renew(subscription, paid=False))
    for days, tier in ((13, "paid"), (2, "free")):
        clock.ahead += timedelta(days=days)
        await core.billing_events.work_off()
        assert await tier_of(alice) == tier
    await send(core, stripe.recover(subscription))
    assert await tier_of(alice) == "paid"


async def test_an_end_of_which_no_event_came_is_found(
    core: Core, stripe: StripeDouble, alice: Customer, clock: Moving
) -> None:
    subscription = await subscribed(core, stripe, alice)
    await send(core, stripe.cancel_at_period_end(subscription))
    stripe.end(subscription)
    await core.billing_events.work_off()
    assert await tier_of(alice) == "paid"  # nobody has told
    clock.ahead += timedelta(days=31)
    await core.billing_events.work_off()
    assert await tier_of(alice) == "free"


def a_life(stripe: StripeDouble, subscription: Thing, first: list[Thing]) -> Iterable[list[Thing]]:
    """What happens to a subscription, step by step: the events of each."""
    yield first
    yield stripe.renew(subscription, paid=False)
    yield stripe.recover(subscription)
    yield stripe.cancel_at_period_end(subscription)
    yield stripe.cancel_at_period_end(subscription, cancel=False)
    yield stripe.renew(subscription, paid=False)
    yield stripe.end(subscription)


@pytest.mark.timeout(600)
async def test_attack_094_events_in_every_order_come_to_the_same_end(
    core: Core, stripe: StripeDouble, full_size: bool
) -> None:
    """Each event comes at any time after its cause, some at once, some twice; the life ends anywhere."""
    for seed in range(300 if full_size else 12):
        chance = random.Random(seed)  # noqa: S311  chance that can be had again
        customer = await new_customer(core, f"customer-{seed}@customer.test")
        subscription, first = stripe.pay(await core.billing.checkout(customer.actor, Interval.MONTHLY))
        waiting: list[Thing] = []
        for events in list(a_life_until(stripe, subscription, first, steps=chance.randint(1, 7))):
            waiting += events + chance.sample(events, chance.randint(0, len(events)))
            chance.shuffle(waiting)
            now = [waiting.pop() for _ in range(chance.randint(0, len(waiting)))]
            await asyncio.gather(*(send(core, [event]) for event in now))
        await asyncio.gather(*(send(core, [event]) for event in waiting))
        view = await core.billing.view(customer.actor)
        assert view.subscription is not None
        assert view.subscription.status == subscription["status"], seed
        assert view.tier.name == ("free" if subscription["status"] == "canceled" else "paid"), seed
        assert (view.subscription.cancel_at is not None) is subscription["cancel_at_period_end"], seed


def a_life_until(stripe: StripeDouble, subscription: Thing, first: list[Thing], *, steps: int) -> Iterable[list[Thing]]:
    for events, _ in zip(a_life(stripe, subscription, first), range(steps), strict=False):
        yield events


async def test_attack_094_an_event_twice_is_heeded_once(core: Core, stripe: StripeDouble, alice: Customer) -> None:
    subscription = await subscribed(core, stripe, alice)
    events = [*stripe.refund(subscription), *stripe.dispute(subscription)]
    await asyncio.gather(*(send(core, [event]) for event in events * 3))
    await send(core, events)
    assert await told(alice, "billing.refund") == ["refunded=900 currency=gbp"]
    assert await told(alice, "billing.dispute") == ["disputed=900 currency=gbp status=needs_response reason=fraudulent"]
    assert await tier_of(alice) == "paid"  # money that goes back is for people to decide about
    asked = len(stripe.requests)
    await send(core, events)
    assert len(stripe.requests) == asked


async def test_attack_094_what_concerns_others_changes_nothing(
    core: Core, stripe: StripeDouble, alice: Customer, bob: Customer
) -> None:
    subscription = await subscribed(core, stripe, alice)
    ended = {**subscription, "status": "canceled"}
    kind = "customer.subscription.deleted"
    asked = len(stripe.requests)
    await send(core, [stripe.event(kind, ended, account="acct_another")])
    await send(core, [stripe.event(kind, ended) | {"livemode": True}])
    await send(core, [stripe.event(kind, {**ended, "customer": "cus_stranger"})])
    await send(core, [stripe.event("something.new", ended)])
    assert len(stripe.requests) == asked
    await send(core, [stripe.event(kind, ended)])  # and what lies is asked about
    assert len(stripe.requests) == asked + 1
    assert (await tier_of(alice), await tier_of(bob)) == ("paid", "free")
    shop = {**subscription, "id": "sub_of_a_shop", "metadata": {"order": "17"}, "created": subscription["created"] + 9}
    shop["items"] = {"data": [{"price": {"id": "price_of_a_mug"}}]}
    stripe.subscriptions[shop["id"]] = {**shop, "status": "canceled"}
    await send(core, [stripe.event(kind, shop)])
    assert await tier_of(alice) == "paid"


@pytest.mark.parametrize("fault", ["down", "500"])
async def test_stripe_down_changes_nothing_and_nothing_is_lost(
    core: Core, stripe: StripeDouble, alice: Customer, clock: Moving, fault: str
) -> None:
    stripe.fault = fault
    with pytest.raises(PaymentsUnavailable) as caught:
        await core.billing.checkout(alice.actor, Interval.MONTHLY)
    assert CARD_NUMBER not in str(caught.value)
    assert (await core.billing.view(alice.actor)).has_customer is False
    stripe.fault = ""
    subscription, events = stripe.pay(await core.billing.checkout(alice.actor, Interval.MONTHLY))
    stripe.fault = fault
    await send(core, [*events, *stripe.refund(subscription)])  # answered, and kept
    with pytest.raises(PaymentsUnavailable):
        await core.billing.portal(alice.actor)
    assert await tier_of(alice) == "free"
    stripe.fault = ""
    clock.ahead += timedelta(minutes=1)
    await core.billing_events.work_off()
    assert await tier_of(alice) == "paid"
    assert len(await told(alice, "billing.refund")) == 1
    assert await told(alice, "billing.subscription") == ["status=active from=free to=paid addresses_inactive=0"]


async def test_nobody_pays_twice(core: Core, stripe: StripeDouble, alice: Customer) -> None:
    first = await core.billing.checkout(alice.actor, Interval.MONTHLY)
    second = await core.billing.checkout(alice.actor, Interval.YEARLY)
    with pytest.raises(AssertionError):
        stripe.pay(first)  # it was closed when the second was begun
    stripe.pay(second)  # no event comes of it
    with pytest.raises(AlreadySubscribed):
        await core.billing.checkout(alice.actor, Interval.MONTHLY)
    assert await tier_of(alice) == "paid"
    assert len(stripe.customers) == 1


async def test_what_the_end_would_do_is_said_and_comes_true(core: Core, stripe: StripeDouble, alice: Customer) -> None:
    assert (await core.billing.view(alice.actor)).after_the_end is None
    subscription = await subscribed(core, stripe, alice)
    for _ in range(4):
        await core.addresses.create(alice.actor)
    after = (await core.billing.view(alice.actor)).after_the_end
    assert after is not None
    assert (after.tier.name, len(after.inactive), after.over_quota) == ("free", 2, False)
    await send(core, stripe.end(subscription))
    found, _ = await core.addresses.list(alice.actor)
    assert {each.address for each in found if each.status is AddressStatus.INACTIVE} == set(after.inactive)
    assert (await told(alice, "billing.subscription"))[-1].endswith("addresses_inactive=2")


async def test_what_an_administrator_gave_is_not_taken(core: Core, stripe: StripeDouble, alice: Customer) -> None:
    subscription, events = stripe.pay(await core.billing.checkout(alice.actor, Interval.MONTHLY))
    stripe.end(subscription)
    await core.administration.change(operator(), alice.address.account_id, tier="paid")
    await send(core, events)
    assert await tier_of(alice) == "paid"


async def test_a_deleted_account_pays_no_more(
    core: Core, stripe: StripeDouble, alice: Customer, bob: Customer, clock: Moving
) -> None:
    subscription = await subscribed(core, stripe, alice)
    await core.billing.checkout(bob.actor, Interval.MONTHLY)
    stripe.fault = "down"
    await core.deletion.delete_own(alice.actor, PASSWORD)
    with pytest.raises(PaymentsUnavailable):
        await core.billing_events.work_off()
    clock.ahead += timedelta(minutes=5)
    await core.purge.work_off()
    assert subscription["status"] == "active"
    stripe.fault = ""
    await core.billing_events.work_off()
    assert subscription["status"] == "canceled"
    assert [each["status"] for each in stripe.sessions.values()] == ["complete", "open"]
    asked = len(stripe.requests)
    await core.billing_events.work_off()
    assert len(stripe.requests) == asked
    await send(core, stripe.end(subscription))

    late = {**subscription, "id": "sub_late", "status": "active"}  # paid on a page that was open still
    stripe.subscriptions["sub_late"] = late
    await send(core, [stripe.event("customer.subscription.created", late)])
    assert late["status"] == "canceled" == stripe.subscriptions["sub_late"]["status"]


async def test_a_customer_who_pays_and_whom_stripe_does_not_know_keeps_the_tier(
    core: Core, stripe: StripeDouble, alice: Customer, clock: Moving
) -> None:
    """As with the key of another account of Stripe's, or of its tests."""
    subscription = await subscribed(core, stripe, alice)
    known, stripe.customers = stripe.customers, {}
    clock.ahead += timedelta(days=31)
    for call in (core.billing.look, core.billing_reconciling.reconcile):
        with pytest.raises(PaymentsUnavailable):
            await call(alice.actor if call == core.billing.look else operator())
        assert await tier_of(alice) == "paid"
    stripe.customers = known
    stripe.end(subscription)
    await core.billing_events.work_off()
    assert await tier_of(alice) == "free"


async def test_the_grace_does_not_begin_anew_with_the_next_invoice(
    core: Core, stripe: StripeDouble, alice: Customer, clock: Moving
) -> None:
    subscription = await subscribed(core, stripe, alice)
    clock.ahead += timedelta(days=30)
    await send(core, stripe.renew(subscription, paid=False))
    until = (await core.billing.view(alice.actor)).grace_until
    await send(core, stripe.renew(subscription, paid=False))
    assert (await core.billing.view(alice.actor)).grace_until == until
    clock.ahead += timedelta(days=15)
    await core.billing_events.work_off()
    assert await tier_of(alice) == "free"


async def test_of_checkouts_begun_at_once_no_two_can_be_paid(core: Core, stripe: StripeDouble, alice: Customer) -> None:
    await core.billing.checkout(alice.actor, Interval.MONTHLY)
    await asyncio.gather(*(core.billing.checkout(alice.actor, each) for each in (Interval.MONTHLY, Interval.YEARLY)))
    assert [each["status"] for each in stripe.sessions.values()].count("open") <= 1


async def test_whoever_was_given_a_tier_cannot_pay_for_nothing(
    core: Core, stripe: StripeDouble, alice: Customer
) -> None:
    await core.administration.change(operator(), alice.address.account_id, tier="paid")
    with pytest.raises(AlreadySubscribed):
        await core.billing.checkout(alice.actor, Interval.MONTHLY)
    assert stripe.sessions == {}


async def test_one_failing_item_keeps_no_other_from_being_done(
    core: Core, stripe: StripeDouble, alice: Customer, bob: Customer, clock: Moving
) -> None:
    """Of cancellations, events and due looks the oldest fails: the others are done, and the failure is raised."""
    carol, dave, erin = [await new_customer(core, f"{name}@customer.test") for name in ("carol", "dave", "erin")]
    cancelled = [await subscribed(core, stripe, each) for each in (alice, bob)]
    ended = await subscribed(core, stripe, carol)
    refunded = [await subscribed(core, stripe, each) for each in (dave, erin)]
    for customer in (alice, bob):
        await core.deletion.delete_own(customer.actor, PASSWORD)
    stripe.end(ended)  # and no event came
    stripe.fault = "down"
    await send(core, [event for each in refunded for event in stripe.refund(each)])
    stripe.fault = ""
    stripe.failing = {cancelled[0]["customer"], refunded[0]["latest_invoice"]["charge"]}
    clock.ahead += timedelta(days=31)
    with pytest.raises(PaymentsUnavailable):
        await core.billing_events.work_off()
    assert [each["status"] for each in cancelled] == ["active", "canceled"]
    assert await tier_of(carol) == "free"
    assert [len(await told(each, "billing.refund")) for each in (dave, erin)] == [0, 1]
    stripe.failing = set()
    await core.billing_events.work_off()
    assert cancelled[0]["status"] == "canceled"
    assert len(await told(dave, "billing.refund")) == 1


async def test_a_subscription_that_ended_meanwhile_keeps_no_other_from_being_cancelled(
    core: Core, stripe: StripeDouble, alice: Customer
) -> None:
    first = await subscribed(core, stripe, alice)
    second = {**first, "id": "sub_second"}
    stripe.subscriptions["sub_second"] = second
    await core.deletion.delete_own(alice.actor, PASSWORD)

    async def end_the_other(request: str) -> None:
        if request.startswith("DELETE"):  # Stripe says of the one that is asked for that it is missing
            stripe.before = None
            stripe.subscriptions[request.rpartition("/")[2]]["status"] = "canceled"

    stripe.before = end_the_other
    await core.billing_events.work_off()
    assert [first["status"], second["status"]] == ["canceled", "canceled"]
    assert await cancellations(core) == []


async def test_what_is_paid_while_it_is_cancelled_is_cancelled_too(
    core: Core, stripe: StripeDouble, alice: Customer, clock: Moving
) -> None:
    """On a page that was open still, before it was closed; or so late that only its event tells."""
    url = await core.billing.checkout(alice.actor, Interval.MONTHLY)
    await core.deletion.delete_own(alice.actor, PASSWORD)
    paid: list[Thing] = []

    async def pay(request: str) -> None:
        if request.endswith("/checkout/sessions"):
            stripe.before = None
            paid.append(stripe.pay(url)[0])

    stripe.before = pay
    await core.billing_events.work_off()
    assert [each["status"] for each in paid] == ["canceled"]

    (customer_id,) = stripe.customers
    async with core.database.write() as connection:
        await stripe_cancellations.add(connection, customer_id, now=clock())
        ((_, queued_at),) = await stripe_cancellations.pending(connection, limit=1)
        clock.ahead += timedelta(seconds=1)
        await stripe_cancellations.add(connection, customer_id, now=clock())
        await stripe_cancellations.done(connection, customer_id, queued_at=queued_at)
    assert await cancellations(core) == [customer_id]
    await core.billing_events.work_off()
    assert await cancellations(core) == []


async def cancellations(core: Core) -> list[str]:
    async with core.database.read() as connection:
        return [customer_id for customer_id, _ in await stripe_cancellations.pending(connection, limit=9)]


async def test_an_account_deleted_meanwhile_does_not_end_the_reconciling(
    core: Core, stripe: StripeDouble, alice: Customer, bob: Customer
) -> None:
    paid = {each.address.account_id: await subscribed(core, stripe, each) for each in (alice, bob)}
    first, second = sorted((alice, bob), key=lambda each: each.address.account_id)
    stripe.end(paid[first.address.account_id])
    stripe.end(paid[second.address.account_id])
    looks = 0

    async def delete(request: str) -> None:
        nonlocal looks
        looks += request == "GET /v1/subscriptions"
        if looks == 2:  # the first is of all customers, the second of the first account
            stripe.before = None
            await core.deletion.delete_own(second.actor, PASSWORD)

    stripe.before = delete
    drifts = await core.billing_reconciling.reconcile(operator())
    assert looks >= 2
    assert [drift.subject for drift in drifts] == [first.address.account_id]


async def test_reconciling_finds_and_mends(core: Core, stripe: StripeDouble) -> None:
    stripe.page_size = 2
    customers = [await new_customer(core, f"customer{number}@customer.test") for number in range(6)]
    paid = [await subscribed(core, stripe, each) for each in customers]
    assert await core.billing_reconciling.reconcile(operator()) == []

    stripe.end(paid[0])  # and no event came
    await set_account(core, customers[1], tier="free")
    await set_account(core, customers[2], stripe_customer_id=None, tier="free")
    await set_account(core, customers[3], status=AccountStatus.DELETED)
    paid[4]["metadata"]["mailkeep_account"] = "nobody"
    drifts = {drift.subject: drift.what for drift in await core.billing_reconciling.reconcile(operator())}
    ids = [customer.address.account_id for customer in customers]
    assert set(drifts) >= {ids[0], ids[1], ids[2], ids[3], paid[4]["customer"]}
    assert ids[5] not in drifts
    for customer, tier in zip(customers, ("free", "paid", "paid"), strict=False):
        assert await tier_of(customer) == tier
    assert paid[3]["status"] == "canceled"
    seen: list[int] = []
    left = await core.billing_reconciling.reconcile(operator(), seen.append)
    assert [drift.subject for drift in left] == [paid[4]["customer"]]  # for people to look at
    assert seen[-1] == 5


async def set_account(core: Core, customer: Customer, **values: Any) -> None:
    async with core.database.write() as connection:
        owner = schema.accounts.c.id == customer.address.account_id
        await connection.execute(update(schema.accounts).where(owner).values(**values))


async def test_no_card_is_in_any_table(
    core: Core, stripe: StripeDouble, alice: Customer, clock: Moving, capsys: pytest.CaptureFixture[str]
) -> None:
    subscription = await subscribed(core, stripe, alice)
    await send(
        core, [*stripe.renew(subscription, paid=False), *stripe.refund(subscription), *stripe.dispute(subscription)]
    )
    stripe.fault = "500"  # whose text has it too
    await send(core, stripe.recover(subscription))
    stripe.fault = ""
    clock.ahead += timedelta(minutes=1)
    await core.billing_events.work_off()
    await core.trail.flush()
    assert await columns_with(core, {CARD_NUMBER, CVC}) == set()
    assert await columns_with(core, {subscription["id"]}) == {
        "subscriptions.subscription_id",
        "audit_log.resource",
        "stripe_events.object_id",
    }
    said = "".join(capsys.readouterr())
    assert "billing.event" in said
    assert CARD_NUMBER not in said
    assert SECRET_KEY not in said


async def test_events_are_forgotten_after_a_month(
    core: Core, stripe: StripeDouble, alice: Customer, clock: Moving
) -> None:
    await subscribed(core, stripe, alice)
    clock.ahead += timedelta(days=36)
    await core.billing_events.work_off()
    async with core.database.read() as connection:
        assert (await connection.execute(select(schema.stripe_events))).all() == []


async def test_who_may_pay(core: Core, alice: Customer) -> None:
    token = replace(alice.actor, session_id=None, user_id=None, token_id="0123456789abcdef")
    for call in (core.billing.checkout(token, Interval.MONTHLY), core.billing.portal(token)):
        with pytest.raises(Exception, match="logged in"):
            await call
    with pytest.raises(NotSubscribed):
        await core.billing.portal(alice.actor)


async def test_without_keys_nothing_is_sold(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    await upgrade_schema(settings)
    async with open_core(settings) as core, core.billing_events.running():
        alice = await new_customer(core, "alice@customer.test")
        for call in (
            core.billing.view(alice.actor),
            core.billing.checkout(alice.actor, Interval.MONTHLY),
            core.billing.portal(alice.actor),
            core.billing_events.receive(NOBODY, b"{}", "t=1,v1=0"),
            core.billing_reconciling.reconcile(operator()),
        ):
            with pytest.raises(BillingOff):
                await call
        assert await deliver(core, b"Subject: x\r\n\r\nx\r\n", alice.recipient()) == [None]
        await core.deletion.delete_own(alice.actor, PASSWORD)


async def test_only_a_yearly_price_that_is_there_is_offered(tmp_path: Path, stripe: StripeDouble) -> None:
    settings = settings_for(tmp_path, billing={**settings_for_stripe(stripe), "price_yearly": ""})
    await upgrade_schema(settings)
    async with open_core(settings) as core:
        alice = await new_customer(core, "alice@customer.test")
        assert (await core.billing.view(alice.actor)).offers == (Interval.MONTHLY,)
        with pytest.raises(InvalidInput):
            await core.billing.checkout(alice.actor, Interval.YEARLY)
    assert MONTHLY in settings.billing.prices.values()


@pytest.mark.parametrize(
    "wrong",
    [
        {"MAILKEEP_BILLING__SECRET_KEY": SECRET_KEY},
        {"MAILKEEP_BILLING__API_BASE": "http://api.example.org"},
        {
            "MAILKEEP_BILLING__SECRET_KEY": SECRET_KEY,
            "MAILKEEP_BILLING__WEBHOOK_SECRET": "whsec_x",
            "MAILKEEP_BILLING__PRICE_MONTHLY": MONTHLY,
            "MAILKEEP_BILLING__TIER": "golden",
        },
    ],
)
def test_half_a_configuration_is_refused(wrong: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert SECRET_KEY not in str(caught.value)


async def test_the_command_reconciles(core: Core, stripe: StripeDouble, alice: Customer) -> None:
    """`mailkeep billing reconcile` in a process of its own, beside a service that runs."""
    subscription = await subscribed(core, stripe, alice)
    stripe.end(subscription)
    environment = {
        "MAILKEEP_DATA_DIR": str(core.settings.data_dir),
        "MAILKEEP_DATABASE__URL": core.settings.database_url,
        **{f"MAILKEEP_BILLING__{name.upper()}": value for name, value in settings_for_stripe(stripe).items()},
    }
    command = (sys.executable, "-m", "mailkeep_cli", "billing", "reconcile")
    process = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, **environment}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    said, complained = await process.communicate()
    assert process.returncode == 0, complained
    account_id = alice.address.account_id
    assert said.decode().splitlines() == [
        f"{account_id}: status=canceled from=paid to=free addresses_inactive=0",
        "differences: 1",
    ]
    assert await tier_of(alice) == "free"


async def test_whom_stripe_does_not_know_is_the_operators_to_mend(
    core: Core, stripe: StripeDouble, alice: Customer
) -> None:
    """A key or a price of another account of Stripe's is no page that is not here."""
    await core.billing.checkout(alice.actor, Interval.MONTHLY)
    stripe.customers.clear()
    with pytest.raises(PaymentsUnavailable):
        await core.billing.portal(alice.actor)
    with pytest.raises(PaymentsUnavailable):
        await core.billing.checkout(alice.actor, Interval.MONTHLY)
