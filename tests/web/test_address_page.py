"""The page of one address."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree

import pytest
import segno
from playwright.async_api import Browser

from api.world import POLICY
from mailkeep.domain.account import AccountStatus, Role
from mailkeep.domain.clock import utc_now
from mailkeep.domain.diagnosis import Obstacle
from mailkeep.domain.refusal import Refusal
from mailkeep.domain.scope import operator
from mailkeep_web.receiving_words import obstacle_words, refusal_words
from web.browsers import context_of, watching
from web.site import Visitor, colleague_of, open_site, plain_mail, site_settings, visitor_of


async def refuse(visitor: Visitor, *replies: tuple[int, str, str], minutes_ago: int = 5) -> None:
    """As mxd reports it."""
    address, at = await visitor.address(), utc_now() - timedelta(minutes=minutes_ago)
    batch = [
        Refusal(
            address.id, code, status, reason, "<b>@shop.example", address.address, "192.0.2.7", "mx.example", at, at
        )
        for code, status, reason in replies
    ]
    await visitor.world.core.refusals.record(POLICY, batch)


async def test_what_an_address_receives(ada: Visitor) -> None:
    address = await ada.address()
    here = f"/addresses/{address.id}"
    page = await ada.get(here)
    assert page.status == 200
    for text in ("<dd>0</dd>", "nothing that is kept still", "0 of 100 that the plan allows", "Nothing sent to this"):
        assert text in page.text
    await ada.receive(plain_mail("One"))
    await ada.receive(plain_mail("Two"))
    page = await ada.get(here)
    for text in ("<dd>2</dd>", "just now", "2 of 100 that the plan allows", address.address.replace("@", "+invoices@")):
        assert text in page.text
    assert f'href="{here}"' in (await ada.get("/addresses")).text


async def test_refusals_are_explained(ada: Visitor) -> None:
    here = f"/addresses/{(await ada.address()).id}"
    await refuse(ada, (450, "4.2.1", "too much mail"), (450, "4.2.1", "too much mail"))
    await refuse(ada, (550, "5.2.1", "no mail at present"), minutes_ago=200)
    text = unescape((await ada.get(here)).text)
    assert "received in the hour before what the plan allows. Its sender tries again by itself." in text
    assert "switched off, or the account suspended. Its sender was told that it failed." in text
    assert "2 times" in text
    assert "450 4.2.1 too much mail" in text
    assert "<bdi><b>@shop" in text
    assert "<b>@shop" not in (await ada.get(here)).text


async def test_refusals_page_by_page(ada: Visitor) -> None:
    here = f"/addresses/{(await ada.address()).id}"
    for minutes in range(25):
        await refuse(ada, (450, "4.2.1", "x"), minutes_ago=minutes * 2)
    page = await ada.get(here)
    (older,) = re.findall(rf'href="({here}\?before=[^"#]*)#refused"', page.text)
    assert page.text.count("too much") + page.text.count("in the hour before") == 20
    page = await ada.get(older)
    assert page.text.count("in the hour before") == 5
    assert f'href="{here}#refused"' in page.text


async def test_the_diagnosis_says_why_not(ada: Visitor) -> None:
    address = await ada.address()
    check = f"/addresses/{address.id}/diagnosis"
    assert "It can receive now" in (await ada.get(check)).text
    await ada.post(f"/addresses/{address.id}/deactivate", {"back": "address"})
    text = (await ada.get(check)).text
    assert "It cannot receive now" in text
    assert "The address is switched off: its mail is refused. Switch it on, above." in text
    assert "It cannot receive" not in (await ada.get(f"/addresses/{address.id}")).text, "nobody has asked"


async def test_a_full_account_and_a_rate_that_is_reached(tmp_path: Path) -> None:
    settings = site_settings(tmp_path, tiers={"free": {"received_per_hour": 1, "storage_mb": 1}})
    async with open_site(settings) as site, visitor_of(site) as ada:
        await ada.register("ada@example.org")
        await ada.receive(plain_mail("Large", "x" * 1_100_000))
        text = (await ada.get(f"/addresses/{(await ada.address()).id}/diagnosis")).text
    assert "has no storage left" in text
    assert "in the last hour what the plan allows" in text


async def test_its_forms_come_back_to_it(ada: Visitor) -> None:
    address = await ada.address()
    here = f"/addresses/{address.id}"
    for path, form, done, notice in (
        ("label", {"label": "Invoices"}, "labelled", "The label is saved."),
        ("deactivate", {}, "deactivated", "Mail to the address is refused from now on."),
        ("activate", {}, "activated", "The address receives mail again."),
    ):
        page = await ada.post(f"{here}/{path}", {**form, "back": "address"})
        assert page.location == f"{here}?done={done}"
        assert notice in (await ada.get(page.location)).text
    page = await ada.post(f"{here}/label", {"label": "x" * 101, "back": "address"})
    assert (page.status, page.value_of("label")) == (422, "x" * 101)
    assert "too long" in page.error_of("label")
    assert (await ada.post(f"{here}/activate", {"back": "//evil.example"})).location == "/addresses?done=activated"


async def test_the_qr_code_is_an_image_that_does_nothing(ada: Visitor) -> None:
    address = await ada.address()
    page = await ada.get(f"/addresses/{address.id}/qr.svg")
    assert (page.status, page.headers["Content-Type"]) == (200, "image/svg+xml")
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    root = ElementTree.fromstring(page.body)  # noqa: S314  our own
    assert {element.tag.rpartition("}")[2] for element in root.iter()} <= {"svg", "g", "path"}
    assert not any(name == "style" or name.startswith("on") for element in root.iter() for name in element.attrib)
    expected = segno.make(f"mailto:{quote(address.address, safe='@')}", error="m", micro=False)
    assert root.attrib["width"] == str((expected.symbol_size(scale=4, border=4))[0])
    assert f'src="/addresses/{address.id}/qr.svg"' in (await ada.get(f"/addresses/{address.id}")).text


async def test_roles_and_other_customers(ada: Visitor, bob: Visitor) -> None:
    here = f"/addresses/{(await ada.address()).id}"
    for path in (here, f"{here}/diagnosis", f"{here}/qr.svg"):
        assert (await bob.get(path)).status == 404
    async with colleague_of(ada, Role.VIEWER) as viewer:
        for path in ("/addresses", here, f"{here}/diagnosis"):
            page = await viewer.get(path)
            assert page.status == 200
            assert re.findall(r'<form[^>]*action="([^"]*)"', page.text) == ["/logout"], "nothing that would be refused"
        assert (await viewer.get(f"{here}/qr.svg")).status == 200
        for path in ("label", "activate", "deactivate", "delete"):
            assert (await viewer.post(f"{here}/{path}", {"back": "address"})).status == 403
    async with colleague_of(ada, Role.MEMBER) as member:
        assert f'action="{here}/deactivate"' in (await member.get(here)).text
    account_id = (await ada.address()).account_id
    await ada.world.core.administration.change(operator(), account_id, status=AccountStatus.SUSPENDED)
    assert (await ada.get(here)).status == 303


async def test_the_qr_code_is_shown_under_our_policy(chromium: Browser, ada: Visitor) -> None:
    address = await ada.address()
    async with context_of(chromium, ada) as context:
        with watching(context, ada.world.url) as watch:
            page = await context.new_page()
            await page.goto(f"{ada.world.url}/addresses/{address.id}")
            shown = await page.locator("img.qr").evaluate("image => image.complete && image.naturalWidth > 100")
            await page.get_by_role("link", name="Can it receive now?").click()
            await page.get_by_text("It can receive now.").wait_for()
    assert shown
    assert (watch.foreign(), watch.console) == ([], [])


@pytest.mark.parametrize("status", ["4.9.9", "5.9.9"])
def test_a_reply_that_is_not_known_is_explained_as_far_as_it_is(status: str) -> None:
    assert refusal_words(status).startswith("The receiver did not take it.")
    assert ("tries again" in refusal_words(status)) is status.startswith("4")


def test_every_obstacle_has_words() -> None:
    assert all(obstacle_words(obstacle) for obstacle in Obstacle)


async def test_there_is_no_room_to_switch_on(tmp_path: Path) -> None:
    """After a smaller plan: the page says what to do, and not that the role forbids it."""
    tiers = {"free": {"addresses": 1}, "paid": {"addresses": 2}}
    async with open_site(site_settings(tmp_path, tiers=tiers)) as world, visitor_of(world) as ada:
        await ada.register("ada@example.org")
        account_id = (await ada.address()).account_id
        await world.core.administration.change(operator(), account_id, tier="paid")
        assert (await ada.post("/addresses", {"local_part": "second"})).status == 303
        await world.core.administration.change(operator(), account_id, tier="free")
        here = f"/addresses/{(await ada.address()).id}"
        for form in ({}, {"back": "address"}):
            page = await ada.post(f"{here}/activate", form)
            assert page.status == 422
            assert "no more active addresses. Switch another one off" in page.text
