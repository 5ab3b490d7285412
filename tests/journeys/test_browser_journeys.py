"""What a customer does, in Chromium, with everything real: Postfix takes the mail, mxd stores it, the pages show it."""

from __future__ import annotations

import asyncio
import re
import smtplib
import subprocess
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.async_api import Browser, BrowserContext, Locator, Page, expect

from services.mailkeep import DOMAIN, Mailkeep, installed_mailkeep
from services.postfix import Postfix, running_postfix, small_configuration
from services.required import required
from web.browsers import NARROW, PATIENCE_MS, WIDE, open_chromium, overflow, watching

PASSWORD: Final = "a quiet river bends twice"
MIDDLE: Final = {"width": 768, "height": 1024}
MAX_TABS: Final = 90  # more presses of the key than any page of these journeys needs


@dataclass(frozen=True)
class House:
    """The API, mxd and a Postfix, each a process of its own."""

    mailkeep: Mailkeep
    postfix: Postfix

    async def send(self, address: str, subject: str) -> None:
        """A mail with text, HTML that would tell its sender that it is read, and a file."""
        mail = EmailMessage()
        mail["From"] = "Example Shop <hello@shop.example>"
        mail["To"] = address
        mail["Subject"] = subject
        mail.set_content("Confirm your address within a day.\n")
        mail.add_alternative(
            "<p>Confirm your address <b>within a day</b>.</p><img src='https://shop.example/seen.gif'>"
            "<script src='https://shop.example/spy.js'></script>",
            subtype="html",
        )
        mail.add_attachment(b"number,sum\n1,9\n", maintype="text", subtype="csv", filename="order.csv")
        await asyncio.to_thread(self._hand_over, mail, address)

    def _hand_over(self, mail: EmailMessage, address: str) -> None:
        with smtplib.SMTP("127.0.0.1", self.postfix.port) as client:
            client.send_message(mail, "hello@shop.example", [address])


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with installed_mailkeep(tmp_path_factory.mktemp("house")) as mailkeep, ExitStack() as stack:
        configure = small_configuration(domain=DOMAIN, lmtp_port=mailkeep.lmtp_port)
        postfix = required(stack, running_postfix(configure))
        mailkeep.start()
        yield House(mailkeep, postfix)


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    async with open_chromium() as browser:
        yield browser


@asynccontextmanager
async def window(chromium: Browser, house: House, **options: Any) -> AsyncIterator[Page]:
    """A browser of its own. At the end: nothing was asked of anybody else, no script failed, no dialog came."""
    context: BrowserContext = await chromium.new_context(**{"viewport": WIDE, **options})
    context.set_default_timeout(PATIENCE_MS)
    try:
        await context.grant_permissions(["clipboard-read", "clipboard-write"], origin=house.mailkeep.url)
        with watching(context, house.mailkeep.url) as watch:
            yield await context.new_page()
        assert watch.foreign() == []
        assert watch.dialogs == []
        assert watch.console == []
    finally:
        await context.close()


async def register(page: Page, house: House, email: str) -> None:
    """From the landing page to the empty inbox."""
    await page.goto(house.mailkeep.url)
    await page.get_by_role("link", name="Create an account").click()
    for button in ("Create the account", "Log in"):
        await page.get_by_label("Email address").fill(email)
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name=button).click()
    await expect(page.get_by_role("heading", name="Send a first mail here")).to_be_visible()


async def address_shown(page: Page) -> str:
    return str(await page.locator(".copyable code").first.inner_text())


async def address_copied(page: Page) -> str:
    await page.get_by_role("button", name="Copy").first.click()
    await expect(page.get_by_text("Copied")).to_be_visible()
    copied: str = await page.evaluate("navigator.clipboard.readText()")
    assert copied == await address_shown(page)
    return copied


def row_of(page: Page, subject: str) -> Locator:
    return page.locator("#rows a.row", has_text=subject)


async def wait_for_row(page: Page, subject: str, *, by_itself: bool) -> None:
    """The mail appears; without JavaScript the reader asks again."""
    if by_itself:
        await expect(row_of(page, subject)).to_be_visible()
        return
    async with asyncio.timeout(PATIENCE_MS / 1000):
        while not await row_of(page, subject).is_visible():
            await page.get_by_role("link", name="Look again").click()


TABS: Final = (
    ("Text", "Confirm your address within a day."),
    ("Structure", "multipart/alternative"),
    ("Headers", "hello@shop.example"),
    ("Attachments", "order.csv"),
    ("Source", "Subject: "),
    ("Delivery", "127.0.0.1"),
    ("Message", "Removed to make it safe"),
)


async def read_every_tab(page: Page) -> None:
    await expect(page.frame_locator("iframe").get_by_text("within a day")).to_be_visible()
    tabs = page.get_by_role("navigation", name="Views of this message")
    for name, text in TABS:
        await tabs.locator("a", has_text=re.compile(rf"^\s*{name}")).click()
        await expect(page.locator(".message-body")).to_contain_text(text)
        await expect(tabs.locator("[aria-current]")).to_contain_text(name)
        assert await overflow(page) <= 0, name


async def expect_deleted(page: Page, subject: str) -> None:
    await expect(page.get_by_text(re.compile("message is deleted"))).to_be_visible()
    await expect(row_of(page, subject)).to_have_count(0)


async def search(page: Page, words: str) -> None:
    await page.get_by_role("link", name="Inbox").first.click()
    await page.get_by_label("Search messages").fill(words)
    await page.get_by_label("Search messages").press("Enter")


VIEWS: Final[dict[str, dict[str, Any]]] = {
    "1440-light": {"viewport": WIDE, "color_scheme": "light"},
    "360-dark": {"viewport": NARROW, "color_scheme": "dark"},
    "768-no-javascript": {"viewport": MIDDLE, "java_script_enabled": False},
}


@pytest.mark.parametrize("view", VIEWS)
async def test_from_registration_to_the_end_of_a_message(chromium: Browser, house: House, view: str) -> None:
    with_scripts = "no-javascript" not in view
    async with window(chromium, house, **VIEWS[view]) as page:
        await register(page, house, f"ada-{view}@example.org")
        address = await (address_copied(page) if with_scripts else address_shown(page))
        if with_scripts:
            await expect(page.locator("#live-state")).to_have_attribute("data-state", "on")
        await house.send(address, "Confirm your address")
        await wait_for_row(page, "Confirm your address", by_itself=with_scripts)
        assert await overflow(page) <= 0

        await row_of(page, "Confirm your address").click()
        await expect(page.get_by_role("heading", name="Confirm your address")).to_be_visible()
        await read_every_tab(page)

        await search(page, "from:shop filename:csv")
        await expect(row_of(page, "Confirm your address")).to_be_visible()
        await search(page, "subject:nothing-like-it")
        await expect(page.get_by_text("is like that")).to_be_visible()

        await search(page, "")
        await row_of(page, "Confirm your address").click()
        await page.locator(".message-head summary", has_text="Delete").click()
        await page.get_by_role("button", name="Delete the message").click()
        await expect_deleted(page, "Confirm your address")


async def test_two_browsers_at_once(chromium: Browser, house: House) -> None:
    """One person with two windows, and somebody else, who sees nothing of it."""
    async with (
        window(chromium, house) as desk,
        window(chromium, house, viewport=NARROW, color_scheme="dark") as phone,
        window(chromium, house) as other,
    ):
        await register(desk, house, "two@example.org")
        await register(other, house, "other@example.org")
        address = await address_shown(desk)
        await phone.goto(f"{house.mailkeep.url}/login")
        await phone.get_by_label("Email address").fill("two@example.org")
        await phone.get_by_label("Password").fill(PASSWORD)
        await phone.get_by_role("button", name="Log in").click()
        for page in (desk, phone, other):
            await expect(page.locator("#live-state")).to_have_attribute("data-state", "on")
        await house.send(address, "For both")
        for page in (desk, phone):
            await expect(row_of(page, "For both")).to_be_visible()
        await row_of(phone, "For both").click()
        await expect(phone.get_by_role("heading", name="For both")).to_be_visible()
        await house.send(await address_shown(other), "For the other")
        await expect(row_of(other, "For the other")).to_be_visible()
        assert await row_of(other, "For both").count() == 0
        await phone.locator(".message-head summary", has_text="Delete").click()
        await phone.get_by_role("button", name="Delete the message").click()
        await expect_deleted(phone, "For both")
        await desk.reload()
        await expect(row_of(desk, "For both")).to_have_count(0)


FOCUSED: Final = """() => {
  const element = document.activeElement;
  const box = element.getBoundingClientRect();
  const style = getComputedStyle(element);
  const inside = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
  return {
    name: (element.getAttribute("aria-label") ?? element.innerText ?? "").trim() + "|" + (element.name ?? ""),
    seen: element === document.body || (style.outlineStyle !== "none" && box.width > 0 && box.height > 0 && inside),
  };
}"""


async def tab_to(page: Page, pattern: str) -> None:
    """Press Tab until the focus is on what has such a name; on the way it is always to be seen."""
    names = []
    for _ in range(MAX_TABS):
        await page.keyboard.press("Tab")
        focused = await page.evaluate(FOCUSED)
        assert focused["seen"], f"the focus on {focused['name']!r} cannot be seen"
        names.append(focused["name"])
        if re.search(pattern, focused["name"]):
            return
    raise AssertionError(f"the keyboard does not reach {pattern!r}: {names}")


async def follow(page: Page, pattern: str) -> None:
    await tab_to(page, pattern)
    await page.keyboard.press("Enter")


async def test_the_keyboard_is_enough(chromium: Browser, house: House) -> None:
    async with window(chromium, house) as page:
        await page.goto(house.mailkeep.url)
        await follow(page, "Create an account")
        for button in ("Create the account", "Log in"):
            await expect(page.get_by_role("button", name=button)).to_be_visible()
            await expect(page.get_by_label("Email address")).to_be_focused()
            await page.keyboard.type("keys@example.org")
            await page.keyboard.press("Tab")
            await page.keyboard.type(PASSWORD)
            await follow(page, button)
        await expect(page.get_by_role("heading", name="Send a first mail here")).to_be_visible()
        await expect(page.locator("#live-state")).to_have_attribute("data-state", "on")
        await follow(page, "Copy")
        await expect(page.get_by_text("Copied")).to_be_visible()
        await house.send(await page.evaluate("navigator.clipboard.readText()"), "By keyboard")
        await expect(row_of(page, "By keyboard")).to_be_visible()

        await follow(page, "By keyboard")
        await expect(page.get_by_role("heading", name="By keyboard")).to_be_visible()
        for name, text in TABS:
            await follow(page, rf"^{name}(\s+\d+)?\s*\|")
            await expect(page.locator(".message-body")).to_contain_text(text)
        await page.goto(f"{house.mailkeep.url}/inbox")
        await tab_to(page, r"\|q$")
        await page.keyboard.type("subject:keyboard")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("link", name="Clear")).to_be_visible()
        await follow(page, "By keyboard")
        await expect(page.get_by_role("heading", name="By keyboard")).to_be_visible()
        summary = page.locator(".message-head summary", has_text="Delete")
        while not await summary.evaluate("element => element === document.activeElement"):
            await tab_to(page, "Delete")
        await page.keyboard.press("Enter")
        await follow(page, "Delete the message")
        await expect_deleted(page, "By keyboard")
        await page.keyboard.press("Tab")  # and the way goes on from where the reader was
        assert (await page.evaluate(FOCUSED))["seen"]


async def test_a_token_an_export_and_the_end_of_the_account(chromium: Browser, house: House, tmp_path: Path) -> None:
    async with window(chromium, house, viewport=MIDDLE) as page:
        await register(page, house, "leaving@example.org")
        address = await address_shown(page)
        await house.send(address, "Take me along")
        await expect(row_of(page, "Take me along")).to_be_visible()

        await page.goto(f"{house.mailkeep.url}/tokens")
        await page.get_by_label("Name").fill("a journey")
        await page.locator("input[name='messages:read']").check()
        await page.get_by_role("button", name="Create the token").click()
        await expect(page.get_by_role("heading", name="Your token")).to_be_visible()
        command = await page.locator("section", has_text="Try it in a terminal").locator("code").inner_text()
        printed = await run(command)
        assert "Take me along" in printed

        await page.goto(f"{house.mailkeep.url}/settings/export")
        async with page.expect_download() as saving:
            await page.get_by_role("link", name="Download the export").click()
        saved = tmp_path / "export.zip"
        await (await saving.value).save_as(saved)
        with zipfile.ZipFile(saved) as archive:
            assert b"Take me along" in archive.read("mailbox.mbox")
            assert any(name.endswith("order.csv") for name in archive.namelist())

        await page.goto(f"{house.mailkeep.url}/settings/delete")
        await page.get_by_label("Email address of the account").fill("leaving@example.org")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Delete the account for good").click()
        await expect(page.get_by_role("heading", name="The account is deleted")).to_be_visible()
        assert "not-authenticated" in await run(command)
        await page.goto(f"{house.mailkeep.url}/inbox")
        await expect(page.get_by_role("heading", name="Log in")).to_be_visible()


async def run(command: str) -> str:
    """What a command prints that a page gave to copy."""
    done = await asyncio.to_thread(
        subprocess.run, ["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout
