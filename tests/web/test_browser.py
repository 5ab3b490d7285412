"""The pages in a real browser."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page, expect

from hostile_names import mail_with_hostile_names
from web.browsers import NARROW, PATIENCE_MS, WIDE, context_of, overflow, watching
from web.site import PASSWORD, Visitor, html_mail, mail_with_file, plain_mail
from web.view_mails import bounce_mail, hops_mail, nested_mail

expect.set_options(timeout=PATIENCE_MS)

# Whatever of this runs or loads leaves a trace: a dialog, an error in the console, a request.
HOSTILE = """
<html><head><base href="https://evil.example/"><meta http-equiv="refresh" content="0;url=https://evil.example/refresh">
<link rel="stylesheet" href="https://evil.example/link.css"><link rel="dns-prefetch" href="//evil.example">
<style>@import url(https://evil.example/import.css); body { background: url(https://evil.example/css.png) }</style>
<script>alert('script')</script><script src="https://evil.example/script.js"></script></head>
<body onload="alert('onload')" background="https://evil.example/body.png">
<p>Visible text</p>
<img src="https://evil.example/pixel.gif" width="1" height="1"><img src=x onerror="alert('onerror')">
<img srcset="https://evil.example/srcset.png 1x"><video poster="https://evil.example/poster.png"></video>
<svg onload="alert('svg')"><image href="https://evil.example/svg.png"></image></svg>
<iframe src="https://evil.example/frame"></iframe><object data="https://evil.example/object"></object>
<form action="https://evil.example/form"><input name="q" autofocus onfocus="alert('focus')"></form>
<p style="background: url(https://evil.example/style.png)">Styled</p>
<a href="javascript:alert('javascript')">javascript link</a> <a href="https://shop.example/">web link</a>
<a href="/logout">relative link</a>
</body></html>
"""


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["1440", "360"])
async def test_from_registration_to_the_first_mail(
    chromium: Browser, stranger: Visitor, viewport: dict[str, int]
) -> None:
    url = stranger.world.url
    async with context_of(chromium, stranger, viewport=viewport) as context:
        await context.grant_permissions(["clipboard-read", "clipboard-write"], origin=url)
        with watching(context, url) as watch:
            page = await context.new_page()
            await page.goto(url)
            await page.get_by_role("link", name="Create an account").click()
            await page.get_by_label("Email address").fill("ada@example.org")
            await page.get_by_label("Password").fill(PASSWORD)
            await page.get_by_role("button", name="Create the account").click()
            await expect(page.get_by_text("You can log in now")).to_be_visible()
            await page.get_by_label("Email address").fill("ada@example.org")
            await page.get_by_label("Password").fill(PASSWORD)
            await page.get_by_role("button", name="Log in").click()
            await expect(page.get_by_text("Send a first mail here")).to_be_visible()
            await page.get_by_role("button", name="Copy").first.click()
            await expect(page.get_by_text("Copied")).to_be_visible()
            address = await page.evaluate("navigator.clipboard.readText()")
            await log_in_beside(stranger)
            assert address == (await stranger.address()).address

            await expect(page.locator("#live-state")).to_have_attribute("data-state", "on")
            await stranger.receive(plain_mail("Confirm your address", "Go to https://shop.example/ now.\r\n"))
            row = page.get_by_role("link", name="Confirm your address")
            await expect(row).to_be_visible()
            await expect(page.get_by_text("Send a first mail here")).to_be_hidden()
            await row.click()
            await expect(page.get_by_role("heading", name="Confirm your address")).to_be_visible()
            await read_every_tab(page)
            assert await overflow(page) <= 0
        assert watch.foreign() == []
        assert watch.console == []


async def log_in_beside(visitor: Visitor) -> None:
    """The test itself acts as the customer who registered in the browser."""
    form = {"email": "ada@example.org", "password": PASSWORD}
    assert (await visitor.post("/login", form)).status == 303


async def read_every_tab(page: Page) -> None:
    tabs = page.get_by_role("navigation", name="Views of this message")
    for name, text in (
        ("Structure", "text/plain"),
        ("Headers", "Shop <shop@example.org>"),
        ("Attachments", "This message has no attachments"),
        ("Source", "To: you@mail.test"),
        ("Delivery", "192.0.2.7"),
        ("Text", "now."),
    ):
        await tabs.get_by_role("link", name=name).click()
        await expect(page.locator(".message-body")).to_contain_text(text)
        await expect(tabs.locator("[aria-current]")).to_contain_text(name)


@pytest.mark.parametrize("javascript", [True, False], ids=["javascript", "no-javascript"])
async def test_attack_054_nothing_in_a_message_runs_or_is_fetched(
    chromium: Browser, ada: Visitor, *, javascript: bool
) -> None:
    message = await ada.receive(html_mail(HOSTILE))
    url = ada.world.url
    async with context_of(chromium, ada, java_script_enabled=javascript) as context:
        with watching(context, url) as watch:
            page = await context.new_page()
            # By itself, without the frame around it, the document must be as harmless.
            for path in (f"/messages/{message.id}", f"/messages/{message.id}/html", f"/messages/{message.id}/html.txt"):
                await page.goto(url + path)
                await expect(first_text(page, path)).to_be_visible()
                await page.wait_for_timeout(500)
        assert watch.dialogs == []
        assert watch.foreign() == []
        assert watch.console == []
        assert page.url == f"{url}/messages/{message.id}/html.txt"


def first_text(page: Page, path: str):  # type: ignore[no-untyped-def]  # noqa: ANN201  a locator
    holder = page if path.endswith(("/html", ".txt")) else page.frame_locator("iframe")
    return holder.get_by_text("Visible text")


async def test_links_in_a_message_open_in_a_tab_of_their_own(chromium: Browser, ada: Visitor) -> None:
    message = await ada.receive(html_mail(HOSTILE))
    async with context_of(chromium, ada) as context:
        await context.route("https://shop.example/**", lambda route: route.fulfill(body="the shop"))
        page = await context.new_page()
        await page.goto(f"{ada.world.url}/messages/{message.id}")
        frame = page.frame_locator("iframe")
        async with context.expect_page() as opened:
            await frame.get_by_text("web link").click()
        shop = await opened.value
        await expect(shop.get_by_text("the shop")).to_be_visible()
        assert await shop.evaluate("window.opener === null && document.referrer === ''")
        await expect(frame.get_by_text("javascript link")).not_to_have_attribute(
            "href", "javascript:alert('javascript')"
        )
        assert page.url.endswith(message.id)


async def test_new_mail_does_not_move_what_is_being_read(chromium: Browser, ada: Visitor) -> None:
    for number in range(30):
        await ada.receive(plain_mail(f"Number {number:02}"))
    async with context_of(chromium, ada) as context:
        page = await context.new_page()
        await page.goto(f"{ada.world.url}/inbox")
        await expect(page.locator("#live-state")).to_have_attribute("data-state", "on")
        row = page.get_by_role("link", name="Number 10")
        await row.scroll_into_view_if_needed()
        await row.click()
        await expect(page.get_by_role("heading", name="Number 10")).to_be_visible()
        await page.locator(".list-scroll").evaluate("element => { element.scrollTop = 600 }")
        before = await row.bounding_box()
        await ada.receive(plain_mail("Number 30"))
        await expect(page.get_by_role("link", name="Number 30")).to_be_attached()
        after = await row.bounding_box()
        assert before is not None
        assert after is not None
        assert abs(after["y"] - before["y"]) < 1
        await expect(page.get_by_role("heading", name="Number 10")).to_be_visible()
        await expect(row).to_be_focused()
        await expect(page.locator("#live-news")).to_have_text("1 new message")


async def test_a_message_that_is_gone_says_so(chromium: Browser, ada: Visitor) -> None:
    message = await ada.receive(plain_mail("Soon gone"))
    async with context_of(chromium, ada) as context:
        page = await context.new_page()
        await page.goto(f"{ada.world.url}/inbox")
        await ada.post(f"/messages/{message.id}/delete")
        await page.locator(f"#row-{message.id}").click()
        await expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible()


async def test_an_attachment_is_saved_under_its_name(chromium: Browser, ada: Visitor) -> None:
    message = await ada.receive(mail_with_file("invoice.html", "text/html", "<!doctype html><p>Pay</p>"))
    async with context_of(chromium, ada) as context:
        page = await context.new_page()
        await page.goto(f"{ada.world.url}/messages/{message.id}?tab=attachments")
        async with page.expect_download() as saving:
            await page.get_by_role("link", name="Download invoice.html").click()
        download = await saving.value
        assert download.suggested_filename == "invoice.html"
        assert await download.failure() is None


async def test_everything_but_live_works_without_javascript(chromium: Browser, ada: Visitor) -> None:
    await ada.receive(plain_mail("Read me", "A text to read.\r\n"))
    async with context_of(chromium, ada, java_script_enabled=False) as context:
        page = await context.new_page()
        await page.goto(f"{ada.world.url}/inbox")
        await page.get_by_label("Messages to").select_option(index=1)
        await page.get_by_role("button", name="Show").click()
        await page.get_by_role("link", name="Read me").click()
        await expect(page.locator(".prose")).to_have_text("A text to read.")
        await page.get_by_role("link", name="Source").click()
        await expect(page.get_by_text("Subject: Read me")).to_be_visible()
        await page.locator("#reading").get_by_text("Delete", exact=True).click()
        await page.get_by_role("button", name="Delete the message").click()
        await expect(page.get_by_text("The message is deleted")).to_be_visible()
        await page.get_by_role("link", name="Addresses").click()
        await page.get_by_label("Name").fill("no good name")
        await page.get_by_role("button", name="Create").click()
        await expect(page.get_by_text("Use letters, digits")).to_be_visible()
        await page.get_by_label("Name").fill("good-name")
        await page.get_by_role("button", name="Create").click()
        await expect(page.locator("code", has_text="good-name@mail.test")).to_be_visible()
        await page.get_by_role("button", name="Log out").click()
        await expect(page.get_by_text("You are logged out")).to_be_visible()


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["1440", "360"])
async def test_no_page_is_wider_than_its_window(chromium: Browser, ada: Visitor, viewport: dict[str, int]) -> None:
    long_word = "x" * 300
    message = await ada.receive(
        mail_with_file(f"{long_word}.html", "text/html", "x").replace(b"With a file", long_word.encode())
    )
    await ada.post(f"/addresses/{message.address_id}/label", {"label": "w" * 60})
    paths = ["/inbox", "/addresses", "/nothing"]
    tabs = ("text", "structure", "headers", "attachments", "source", "delivery")
    paths += [f"/messages/{message.id}?tab={tab}" for tab in tabs]
    paths += [f"/messages/{(await ada.receive(mail)).id}?tab=structure" for mail in (nested_mail(40), bounce_mail())]
    paths.append(f"/messages/{(await ada.receive(hops_mail(long_word))).id}?tab=headers")
    names = await ada.receive(mail_with_hostile_names())
    paths.append(f"/messages/{names.id}?tab=attachments")
    async with context_of(chromium, ada, viewport=viewport) as context:
        page = await context.new_page()
        for path in paths:
            await page.goto(ada.world.url + path)
            assert await overflow(page) <= 0, path


async def test_on_a_narrow_screen_there_is_one_thing_at_a_time(chromium: Browser, ada: Visitor) -> None:
    message = await ada.receive(plain_mail("One thing"))
    async with context_of(chromium, ada, viewport=NARROW) as context:
        page = await context.new_page()
        await page.goto(f"{ada.world.url}/inbox")
        row = page.locator(f"#row-{message.id}")
        await row.click()
        await expect(row).to_be_hidden()
        await expect(page.locator("#reading-title")).to_be_focused()
        await page.get_by_role("link", name="Inbox").last.click()
        await expect(row).to_be_visible()
        await page.go_back()
        await expect(page.get_by_role("heading", name="One thing")).to_be_visible()


async def test_the_keyboard_reaches_a_message(chromium: Browser, ada: Visitor) -> None:
    message = await ada.receive(plain_mail("By keyboard"))
    async with context_of(chromium, ada) as context:
        page = await context.new_page()
        await page.goto(f"{ada.world.url}/inbox")
        row = page.locator(f"#row-{message.id}")
        for _ in range(20):
            await page.keyboard.press("Tab")
            if await row.evaluate("element => element === document.activeElement"):
                break
        await expect(row).to_be_focused()
        outline = await row.evaluate("element => getComputedStyle(element).outlineStyle")
        assert outline == "solid"
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="By keyboard")).to_be_visible()
        await expect(row).to_be_focused()
