"""The inbox in a real browser: selecting, keys, a list that goes on, mail that arrives meanwhile."""

from __future__ import annotations

import re

from playwright.async_api import Browser, Page, expect

from web.browsers import NARROW, context_of, watching
from web.site import Visitor, html_mail, plain_mail

# Chromium's own measure: what moved without anybody having asked for it.
OBSERVE_SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    window.shifts.push([entry.value, entry.sources.map((source) => source.node?.outerHTML?.slice(0, 80))]);
  }
}).observe({ type: "layout-shift", buffered: true });
"""


async def receive_all(visitor: Visitor, count: int) -> list[str]:
    return [(await visitor.receive(plain_mail(f"Number {number:03}"))).id for number in range(count)]


async def focused(page: Page) -> str:
    """The id of the element that has the keyboard."""
    found: str = await page.evaluate("document.activeElement.id")
    return found


async def live(page: Page) -> None:
    await expect(page.locator("#live-state")).to_have_attribute("data-state", "on")


async def test_selecting_marking_and_deleting(chromium: Browser, ada: Visitor) -> None:
    ids = (await receive_all(ada, 60))[::-1]  # as the list has them
    async with context_of(chromium, ada) as context:
        with watching(context, ada.world.url) as watch:
            page = await context.new_page()
            await page.goto(f"{ada.world.url}/inbox")
            bar, rows = page.locator("#selection"), page.locator("#rows > li")
            boxes = page.get_by_role("checkbox", name="Select Number")
            await boxes.nth(1).check()
            await boxes.nth(3).click(modifiers=["Shift"])
            await expect(bar).to_contain_text("3 selected")
            await bar.get_by_role("button", name="Mark as read").click()
            await expect(page.get_by_text("3 messages are marked as read.")).to_be_visible()
            await expect(page.locator("#rows .row.unread")).to_have_count(47)
            await expect(bar).to_contain_text("Select")
            await expect(page.locator(f"#row-{ids[4]}")).to_be_focused()

            await page.locator(f"#row-{ids[2]}").click()
            await expect(page.get_by_role("heading", name="Number 057")).to_be_visible()
            await boxes.nth(2).check()
            await boxes.nth(4).check()
            await bar.locator("summary").click()
            await expect(bar.get_by_text("The selected messages, their sources")).to_be_visible()
            await bar.get_by_role("button", name="Delete them").click()
            await expect(page.get_by_text("2 messages are deleted.")).to_be_visible()
            await expect(page.locator(f"#row-{ids[2]}")).to_have_count(0)
            await expect(page.get_by_text("Choose a message to read it here")).to_be_visible()
            assert page.url == f"{ada.world.url}/inbox"
            await expect(page.locator(f"#row-{ids[3]}")).to_be_focused()

            await boxes.nth(0).check()
            await page.route("**/inbox/selected", lambda route: route.abort())
            await bar.get_by_role("button", name="Mark as read").click()
            await expect(page.get_by_text("No connection: nothing")).to_be_visible()
            await expect(bar).to_contain_text("1 selected")
            await page.unroute("**/inbox/selected")
            watch.console.clear()  # the browser's word on the cut connection

            await bar.get_by_role("checkbox", name="selected").check()
            await bar.get_by_role("checkbox", name="All messages").check()
            await expect(bar).to_contain_text("All selected")
            await bar.locator("summary").click()
            await bar.get_by_role("button", name="Delete them").click()
            await expect(page.get_by_text("58 messages are deleted.")).to_be_visible()
            await expect(rows).to_have_count(0)
            await expect(page.get_by_text("No messages yet")).to_be_visible()
        assert watch.console == []


async def test_selecting_without_javascript(chromium: Browser, ada: Visitor) -> None:
    await receive_all(ada, 3)
    async with context_of(chromium, ada, java_script_enabled=False, viewport=NARROW) as context:
        page = await context.new_page()
        await page.goto(f"{ada.world.url}/inbox")
        await page.get_by_role("checkbox", name="Select Number 001").check()
        await page.get_by_role("button", name="Mark as read").click()
        await expect(page.get_by_text("1 message is marked as read.")).to_be_visible()
        await page.get_by_role("checkbox", name="All messages").check()
        await page.locator("#selection summary").click()
        await page.get_by_role("button", name="Delete them").click()
        await expect(page.get_by_text("3 messages are deleted.")).to_be_visible()


async def test_the_keys_of_a_mail_client(chromium: Browser, ada: Visitor) -> None:
    ids = (await receive_all(ada, 6))[::-1]
    async with context_of(chromium, ada) as context:
        with watching(context, ada.world.url) as watch:
            page = await context.new_page()
            await page.goto(f"{ada.world.url}/inbox")
            await live(page)
            press = page.keyboard.press
            for key, row in (("j", 0), ("j", 1), ("j", 2), ("k", 1)):
                await press(key)
                await expect(page.locator(f"#row-{ids[row]}")).to_be_focused()
            await press("o")
            await expect(page.get_by_role("heading", name="Number 004")).to_be_visible()
            await expect(page.locator(f"#row-{ids[1]}")).to_be_focused()
            await page.locator("#reading-title").focus()
            await press("j")
            await expect(page.get_by_role("heading", name="Number 003")).to_be_visible()
            assert page.url.endswith(ids[2])
            await press("e")
            await expect(page.get_by_text("1 message is marked as unread.")).to_be_visible()
            await expect(page.locator("#reading[data-message]")).to_have_count(0)
            await expect(page.locator(f"#row-{ids[2]}.unread")).to_be_visible()

            await press("x")  # the row after it has the focus
            await expect(page.locator("#selection")).to_contain_text("1 selected")
            await press("#")
            await expect(page.get_by_role("button", name="Delete them")).to_be_focused()
            await press("Escape")
            await expect(page.get_by_role("button", name="Delete them")).to_be_hidden()
            await press("#")
            await press("Enter")
            await expect(page.get_by_text("1 message is deleted.")).to_be_visible()
            await expect(page.locator(f"#row-{ids[3]}")).to_have_count(0)
            await expect(page.locator(f"#row-{ids[4]}")).to_be_focused()

            await press("o")
            await expect(page.get_by_role("heading", name="Number 001")).to_be_visible()
            await press("u")
            await expect(page.get_by_text("Choose a message to read it here")).to_be_visible()
            await expect(page.locator(f"#row-{ids[4]}")).to_be_focused()

            await press("?")
            await expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
            await press("j")
            await press("Escape")
            await expect(page.locator(f"#row-{ids[4]}")).to_be_focused()
            await press("/")
            await expect(page.get_by_label("Search messages")).to_be_focused()
            await page.keyboard.type("jkou?e#x")
            assert await page.get_by_label("Search messages").input_value() == "jkou?e#x"
            await page.locator(f"#row-{ids[4]}").focus()
            await press("Control+k")
            await press("Alt+j")
            await expect(page.locator(f"#row-{ids[4]}")).to_be_focused()
            await page.get_by_role("button", name="Keyboard shortcuts").click()
            await page.get_by_role("button", name="Close").click()
            assert await focused(page) == "show-help"
        assert watch.console == []


async def test_the_list_goes_on_by_itself_and_is_found_again(chromium: Browser, ada: Visitor) -> None:
    await receive_all(ada, 130)
    for viewport in ({"width": 1440, "height": 700}, NARROW):
        async with context_of(chromium, ada, viewport=viewport) as context:
            page = await context.new_page()
            await page.goto(f"{ada.world.url}/inbox")
            rows = page.locator("#rows > li")
            await expect(rows).to_have_count(50)
            await rows.nth(49).scroll_into_view_if_needed()
            await expect(rows).to_have_count(100)
            row = page.get_by_role("link", name="Number 045")
            await rows.nth(99).scroll_into_view_if_needed()
            await expect(rows).to_have_count(130)
            await row.scroll_into_view_if_needed()
            await expect(page.get_by_role("link", name="Older")).to_be_hidden()
            place = await row.bounding_box()
            await row.click()
            await expect(page.get_by_role("heading", name="Number 045")).to_be_visible()
            await page.go_back()
            await expect(page.locator("#reading[data-message]")).to_have_count(0)
            await expect(rows).to_have_count(130)
            assert await row.bounding_box() == place
            await page.goto(f"{ada.world.url}/addresses")
            await page.go_back()
            await expect(rows).to_have_count(130)
            await expect(row).to_be_in_viewport()


async def test_the_list_stops_growing(chromium: Browser, ada: Visitor) -> None:
    await receive_all(ada, 52)
    async with context_of(chromium, ada) as context:
        page = await context.new_page()
        await page.goto(f"{ada.world.url}/inbox")
        await live(page)
        await page.evaluate("for (let n = 0; n < 350; n++) rows.append(rows.lastElementChild.cloneNode(true))")
        await page.locator("#rows > li").last.scroll_into_view_if_needed()
        older = page.get_by_role("link", name="Older")
        await expect(older).to_be_visible()
        await page.wait_for_timeout(300)
        await expect(page.locator("#rows > li")).to_have_count(400)
        await ada.receive(plain_mail("One more"))
        await expect(page.get_by_role("link", name="One more")).to_be_attached()
        await expect(page.locator("#rows > li")).to_have_count(400)
        await older.click()
        await expect(page.get_by_role("link", name="Number 001")).to_be_visible()
        await page.get_by_role("link", name="Newest").click()
        await expect(page.get_by_role("link", name="One more")).to_be_visible()


async def test_nothing_shifts_when_mail_arrives(chromium: Browser, ada: Visitor) -> None:
    await receive_all(ada, 3)
    for viewport in ({"width": 1440, "height": 700}, NARROW):
        async with context_of(chromium, ada, viewport=viewport) as context:
            page = await context.new_page()
            await page.add_init_script(OBSERVE_SHIFTS)
            await page.goto(f"{ada.world.url}/inbox")
            await live(page)
            await page.evaluate("shifts.length = 0")
            for number in range(3):
                await ada.receive(plain_mail(f"Short list {number} {viewport['width']}"))
                await expect(page.get_by_role("link", name=f"Short list {number} {viewport['width']}")).to_be_visible()
                await page.wait_for_timeout(300)
            for number in range(20):
                await ada.receive(plain_mail(f"Filling {number}"))
            await expect(page.get_by_role("link", name="Filling 19")).to_be_attached()
            below = page.get_by_role("link", name="Number 001")
            await below.scroll_into_view_if_needed()
            await page.wait_for_timeout(700)
            place = await below.bounding_box()
            await ada.receive(plain_mail(f"Above {viewport['width']}"))
            pill = page.get_by_role("button", name="1 new message")
            await expect(pill).to_be_visible()
            after = await below.bounding_box()
            assert place is not None
            assert after is not None
            assert abs(after["y"] - place["y"]) < 1
            assert await page.evaluate("shifts") == []
            await pill.click()
            await expect(page.get_by_role("link", name=f"Above {viewport['width']}")).to_be_in_viewport()
            await expect(pill).to_be_hidden()


async def test_a_search_is_completed(chromium: Browser, ada: Visitor) -> None:
    await ada.receive(plain_mail("By the shop"))
    async with context_of(chromium, ada) as context:
        with watching(context, ada.world.url) as watch:
            page = await context.new_page()
            await page.goto(f"{ada.world.url}/inbox")
            field = page.get_by_role("combobox", name="Search messages")
            suggestions = page.locator("#q-suggestions")
            options = suggestions.get_by_role("option")
            await field.press_sequentially("order -f")
            await expect(options).to_have_count(2)
            assert [(await option.inner_text()).split()[0] for option in await options.all()] == ["from:", "filename:"]
            await expect(field).to_have_attribute("aria-expanded", "true")
            await page.keyboard.press("ArrowDown")
            await page.keyboard.press("ArrowDown")
            await page.keyboard.press("ArrowUp")
            await expect(suggestions.get_by_role("option", selected=True)).to_contain_text("words of the sender")
            await page.keyboard.press("Enter")
            assert await field.input_value() == "order -from:"
            await expect(options).to_have_count(0)
            await page.keyboard.type("x is:u")
            await options.first.click()
            assert await field.input_value() == "order -from:x is:unread "
            await expect(field).to_be_focused()
            await page.keyboard.press("ArrowDown")
            await expect(options.first).to_be_visible()
            await page.keyboard.press("Escape")
            await expect(options).to_have_count(0)
            await field.fill("from:shop")
            await page.keyboard.press("Enter")
            await expect(page.get_by_role("link", name="By the shop")).to_be_visible()
            assert page.url.endswith("q=from%3Ashop&address=")
        assert watch.console == []


# A headless browser shows no notification: this notes what a page asks it to show.
NOTE_NOTIFICATIONS = """
window.told = [];
window.Notification = class extends EventTarget {
  static permission = "default";
  static async requestPermission() { return (Notification.permission = "granted"); }
  constructor(title, options) { super(); told.push([title, options.body]); window.last = this; }
  close() {}
};
"""


async def test_new_mail_is_told_to_who_looks_elsewhere(chromium: Browser, ada: Visitor) -> None:
    await ada.receive(plain_mail("Old"))
    async with context_of(chromium, ada) as context:
        page = await context.new_page()
        await page.add_init_script(NOTE_NOTIFICATIONS)
        await page.goto(f"{ada.world.url}/inbox")
        await live(page)
        await page.get_by_role("button", name="Notifications").click()
        dialog = page.get_by_role("dialog", name="Notifications")
        await expect(dialog).to_contain_text("the sender and the subject, nothing else")
        await expect(dialog).to_contain_text("They are off.")
        await dialog.get_by_role("button", name="Close").click()
        await page.evaluate("document.hasFocus = () => false")
        await ada.receive(plain_mail("First", "Secret text."))
        await expect(page).to_have_title("(1) Inbox · Mailkeep")
        assert await page.evaluate("told") == []  # nobody asked for it

        await page.get_by_role("button", name="Notifications").click()
        await dialog.get_by_role("button", name="Turn on").click()
        await expect(dialog).to_contain_text("They are on in this browser.")
        await dialog.get_by_role("button", name="Close").click()
        await ada.receive(plain_mail("Second", "Secret text."))
        await expect(page).to_have_title("(2) Inbox · Mailkeep")
        assert await page.evaluate("told") == [["Shop", "Second"]]
        await page.evaluate("last.dispatchEvent(new Event('click'))")
        await expect(page.get_by_role("heading", name="Second")).to_be_visible()
        await page.evaluate("dispatchEvent(new Event('focus'))")
        await expect(page).to_have_title("Second · Mailkeep")

        await page.evaluate("document.hasFocus = () => true")
        await page.goto(f"{ada.world.url}/inbox")
        await page.evaluate("Notification.permission = 'granted'")
        await page.get_by_role("button", name="Notifications").click()
        await dialog.get_by_role("button", name="Turn off").click()
        await expect(dialog).to_contain_text("They are off.")


async def test_a_message_is_copied_from_and_printed(chromium: Browser, ada: Visitor) -> None:
    message = await ada.receive(html_mail("<p>Line</p>" * 300 + "<p>The end</p>", "To be printed"))
    async with context_of(chromium, ada) as context:
        await context.grant_permissions(["clipboard-read", "clipboard-write"], origin=ada.world.url)
        page = await context.new_page()
        await page.goto(f"{ada.world.url}/messages/{message.id}?tab=headers")
        for button, text in (
            ("Link", f"{ada.world.url}/messages/{message.id}"),
            ("Copy the sender's address", "shop@example.org"),
            ("Copy all headers", "From: Shop <shop@example.org>\nTo: you@mail.test\nSubject: To be printed\n"),
        ):
            await page.get_by_role("button", name=button).click()
            await expect(page.get_by_text("Copied")).to_be_attached()
            assert (await page.evaluate("navigator.clipboard.readText()")).startswith(text)
            await expect(page.get_by_text("Copied")).to_have_count(0)
        async with context.expect_page() as opened:
            await page.get_by_role("link", name="Print", exact=True).click()
        printed = await opened.value
        await expect(printed.get_by_role("heading", name="To be printed")).to_be_visible()
        await expect(printed.get_by_text("The end")).to_be_attached()
        assert len(re.findall(rb"/Type\s*/Page\b", await printed.pdf())) > 3  # nothing is cut off by a frame
        await page.emulate_media(media="print")
        await expect(page.locator(".bar")).to_be_hidden()
        await expect(page.locator("#list")).to_be_hidden()
        await expect(page.get_by_role("button", name="Delete")).to_be_hidden()
