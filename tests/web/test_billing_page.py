"""The page of the plan: what it says, where it leads, and what is there when Stripe is not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from api.world import World
from mailkeep.domain.account import Role
from services.stripe import StripeDouble, Thing, payload_of, running_stripe, settings_for_stripe, signature_of
from web.site import Visitor, colleague_of, open_site, site_settings


@pytest.fixture
async def stripe() -> AsyncIterator[StripeDouble]:
    async with running_stripe() as double:
        yield double


@pytest.fixture
async def site(tmp_path: Path, stripe: StripeDouble) -> AsyncIterator[World]:
    tiers = {"free": {"price": "free"}, "paid": {"price": "£9 a month"}}
    settings = site_settings(tmp_path, tiers=tiers, billing={**settings_for_stripe(stripe), "timeout_s": 2})
    async with open_site(settings) as world:
        yield world


async def test_from_free_to_paid_and_what_the_end_would_do(ada: Visitor, stripe: StripeDouble) -> None:
    page = await ada.get("/billing")
    for words in ("£9 a month", "£90 a year", "Upgrade to Paid", "messages kept for 90 days", "(your plan)"):
        assert words in page.text
    assert "If you cancel" not in page.text
    assert "/billing/portal" not in page.text

    page = await ada.post("/billing/checkout", {"interval": "monthly"})
    (session,) = stripe.sessions.values()
    assert page.status == 200
    assert page.headers["Refresh"] == f"0; url={session['url']}"
    assert f'href="{session["url"]}"' in page.text
    subscription, _ = stripe.pay(session["url"])  # and no webhook comes

    assert session["success_url"] == f"{ada.world.core.settings.public_url}/billing?paid=1"
    page = await ada.get("/billing?paid=1")
    assert "Next payment" in page.text
    assert "Upgrade to" not in page.text
    assert "All your active addresses stay active." in page.text
    for _ in range(4):
        await ada.world.core.addresses.create(await ada.actor())
    page = await ada.get("/billing")
    assert "2 addresses become inactive and refuse mail; the 3 oldest stay active" in page.text
    assert (await ada.address()).address in page.text

    page = await ada.post("/billing/portal")
    assert page.headers["Refresh"].endswith(subscription["customer"])
    assert (await ada.post("/billing/checkout", {"interval": "monthly"})).status == 409
    steps: tuple[tuple[Callable[[], list[Thing]], str], ...] = (
        (lambda: stripe.cancel_at_period_end(subscription), "nothing more is charged"),
        (lambda: stripe.renew(subscription, paid=False), "The last payment has failed"),
        (lambda: stripe.end(subscription), "Upgrade to Paid"),
    )
    for step, words in steps:
        for event in step():
            payload = payload_of(event)
            await ada.world.core.billing_events.receive(await ada.actor(), payload, signature_of(payload))
        assert words in (await ada.get("/billing")).text


async def test_the_prices_lead_to_the_plan(ada: Visitor) -> None:
    page = await ada.get("/pricing")
    assert 'on the page of <a href="/billing">your plan</a>' in page.text
    assert "they set the plan" not in page.text


async def test_stripe_down_is_said_and_changes_nothing(ada: Visitor, stripe: StripeDouble) -> None:
    stripe.fault = "down"
    for page in (
        await ada.post("/billing/checkout", {"interval": "yearly"}),
        await ada.get("/billing"),
    ):
        assert "Upgrade to Paid" in page.text
    page = await ada.post("/billing/checkout", {"interval": "yearly"})
    assert page.status == 503
    assert "does not answer. Nothing was changed or charged" in page.text
    assert stripe.customers == {}
    assert (await ada.post("/billing/portal")).status == 409
    assert (await ada.post("/billing/checkout", {"interval": "hourly"})).status == 409


async def test_only_the_owner_pays(ada: Visitor) -> None:
    async with colleague_of(ada, Role.MEMBER) as member:
        page = await member.get("/billing")
        assert "Only the owner of the account can pay." in page.text
        assert "/billing/checkout" not in page.text
        assert (await member.post("/billing/checkout", {"interval": "monthly"})).status == 403
        assert (await member.post("/billing/portal")).status == 403
