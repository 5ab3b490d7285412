"""The search field of the inbox: a form, an address to keep, and errors beside the field."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from playwright.async_api import Browser, expect

from web.browsers import NARROW, WIDE, context_of, overflow, watching
from web.inspection import assert_is_a_page
from web.site import Page, Visitor, plain_mail


def subjects(page: Page) -> list[str]:
    return re.findall(r'<span class="subject"><bdi>(.*?)</bdi>', page.text)


async def test_the_inbox_shows_what_a_search_finds(ada: Visitor, bob: Visitor) -> None:
    await ada.receive(plain_mail("First order", "fizz"))
    await ada.receive(plain_mail("Second order", "buzz"))
    await bob.receive(plain_mail("For Bob", "fizz"))
    page = await ada.get("/inbox?q=fizz+order")
    assert_is_a_page(page)
    assert (page.status, subjects(page)) == (200, ["First order"])
    assert page.value_of("q") == "fizz order"
    assert re.search(r'href="/messages/[^"?]+\?q=fizz\+order"', page.text)
    assert 'data-rows="/inbox/rows?q=fizz+order"' in page.text
    (link,) = re.findall(r'href="(/messages/[^"]+)"', page.text)
    beside = await ada.get(link)
    assert (subjects(beside), beside.value_of("q")) == (["First order"], "fizz order")
    assert 'href="/inbox?q=fizz+order"' in beside.text


async def test_older_pages_are_of_the_same_search(ada: Visitor) -> None:
    for number in range(104):
        await ada.receive(plain_mail(f"Number {number}", "fizz" if number % 2 else "buzz"))
    page = await ada.get("/inbox?q=fizz")
    assert len(subjects(page)) == 50
    (older,) = re.findall(r'href="(/inbox\?q=fizz&amp;before=\d+)"', page.text)
    assert subjects(await ada.get(older.replace("&amp;", "&"))) == ["Number 3", "Number 1"]


async def test_new_mail_appears_where_the_search_finds_it(ada: Visitor) -> None:
    first = await ada.receive(plain_mail("One", "fizz"))
    for text in ("buzz", "fizz"):
        await ada.receive(plain_mail(f"With {text}", text))
    rows = await ada.get(f"/inbox/rows?q=fizz&after={first.seq}")
    assert subjects(rows) == ["With fizz"]
    assert subjects(await ada.get("/inbox/rows?q=buzz")) == ["With buzz"]
    assert "mended" in (await ada.get("/inbox/rows?q=%22&after=1")).text


async def test_nothing_found_says_so(ada: Visitor) -> None:
    await ada.receive(plain_mail("One"))
    page = await ada.get("/inbox?q=absent")
    assert "No message is like that" in page.text
    assert page.text.count('href="/inbox">Clear') == 2
    assert "Send a first mail" not in page.text
    address_id = (await ada.address()).id
    filtered = await ada.get(f"/inbox?q=absent&address={address_id}")
    assert "for this address" in filtered.text
    assert f'href="/inbox?address={address_id}">Clear the search' in filtered.text


async def test_an_error_stands_beside_the_field(ada: Visitor) -> None:
    await ada.receive(plain_mail("One"))
    page = await ada.get("/inbox?q=" + quote("order fro:<b>x"))
    assert_is_a_page(page)
    assert page.status == 422
    assert page.error_of("q").startswith("At character 7: ")
    assert '"from:"' in page.error_of("q")
    assert "order <mark>fro:</mark>&lt;b&gt;x" in page.text
    assert page.value_of("q") == "order fro:<b>x"
    assert subjects(page) == []
    assert "data-events" not in page.text


@pytest.mark.parametrize("javascript", [True, False], ids=["javascript", "no-javascript"])
async def test_searching_in_a_browser(chromium: Browser, ada: Visitor, *, javascript: bool) -> None:
    await ada.receive(plain_mail("First order", "fizz"))
    await ada.receive(plain_mail("Second order", "buzz"))
    async with context_of(chromium, ada, java_script_enabled=javascript) as context:
        with watching(context, ada.world.url) as watch:
            page = await context.new_page()
            await page.goto(f"{ada.world.url}/inbox")
            await page.get_by_label("Search messages").fill("fizz")
            await page.get_by_label("Search messages").press("Enter")
            await expect(page.get_by_role("link", name="First order")).to_be_visible()
            await expect(page.get_by_role("link", name="Second order")).to_be_hidden()
            await page.get_by_role("link", name="First order").click()
            await expect(page.get_by_role("heading", name="First order")).to_be_visible()
            await expect(page.get_by_role("link", name="Second order")).to_be_hidden()
            await page.get_by_text("What a search can say").click()
            await expect(page.get_by_text("words of one field")).to_be_visible()
            await page.get_by_role("link", name="Clear").click()
            await expect(page.get_by_role("link", name="Second order")).to_be_visible()
        assert watch.console == []


async def test_new_mail_joins_a_search_that_finds_it(chromium: Browser, ada: Visitor) -> None:
    await ada.receive(plain_mail("Old", "fizz"))
    async with context_of(chromium, ada) as context:
        page = await context.new_page()
        await page.goto(f"{ada.world.url}/inbox?q=fizz")
        await expect(page.locator("#live-state")).to_have_attribute("data-state", "on")
        await ada.receive(plain_mail("Other", "buzz"))
        await ada.receive(plain_mail("New", "fizz"))
        await expect(page.get_by_role("link", name="New")).to_be_visible()
        await expect(page.locator("#rows > li")).to_have_count(2)
        await page.goto(f"{ada.world.url}/inbox?q=later")
        await expect(page.locator("#live-state")).to_have_attribute("data-state", "on")
        await ada.receive(plain_mail("Later"))
        await expect(page.get_by_role("link", name="Later")).to_be_visible()


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["1440", "360"])
async def test_a_search_is_no_wider_than_its_window(chromium: Browser, ada: Visitor, viewport: dict[str, int]) -> None:
    async with context_of(chromium, ada, viewport=viewport) as context:
        page = await context.new_page()
        for search in ("x" * 400, "fro:" + "x" * 400, "order"):
            await page.goto(f"{ada.world.url}/inbox?q={search}")
            await page.get_by_text("What a search can say").click()
            assert await overflow(page) <= 0, search[:10]
