"""Every hostile vector in a browser: in the product's own pages, and in a page that protects nobody."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, ConsoleMessage, Error, Frame, Page, Route, expect

from mailkeep.domain.message import MessageQuery, Transport
from mailkeep.mail.sanitise import ATTRIBUTES, TAGS, sanitise
from mailkeep.services.ingest import AcceptedRecipient, Incoming
from vectors import all_vectors
from web.browsers import context_of, watching
from web.site import Visitor

VECTORS: Final = all_vectors()
BATCH: Final = 40
SETTLE_MS: Final = 150  # for what begins a moment after the document is there
BARE: Final = "http://bare.test"
UNKNOWN: Final = -1  # a frame that cannot be told from others

# Frames beside the one that the page has, with all its attributes. Resolved when each has loaded.
SHOW: Final = """paths => {
    const shown = document.querySelector("iframe");
    const loads = paths.map((path, index) => new Promise(resolve => {
        const frame = shown.cloneNode();
        frame.name = `vector-${index}`;
        frame.src = path;
        frame.addEventListener("load", resolve);
        shown.parentElement.append(frame);
    }));
    return Promise.all(loads);
}"""
HIDE: Final = """() => document.querySelectorAll("iframe[name^=vector]").forEach(frame => frame.remove())"""
OUTSIDE: Final = """() => document.documentElement.outerHTML"""

# What is in the document of a frame and should not be.
STRANGE: Final = """([tags, attributes]) => {
    const strange = [];
    for (const element of document.body.querySelectorAll("*")) {
        const name = element.localName;
        const allowed = attributes[name] || [];
        if (element.namespaceURI !== "http://www.w3.org/1999/xhtml" || !tags.includes(name))
            strange.push(name);
        for (const attribute of element.attributes)
            if (!allowed.includes(attribute.name)) strange.push(`${name} ${attribute.name}`);
        if (name === "a" && element.hasAttribute("href")) {
            if (!["http:", "https:", "mailto:"].includes(element.protocol)) strange.push(element.href);
            if (element.host === location.host) strange.push(element.href);
        }
    }
    const head = [...document.head.children].map(element => element.localName).join();
    return [...strange, ...document.body.getAttributeNames(), head];
}"""
OUR_HEAD: Final = "meta,title,meta,base,style"

# What scripts of a mail would call says in the console which of the frames it was.
HOOKS: Final = """{
    const place = () => {
        let frame = window;
        while (frame.parent !== frame.top) frame = frame.parent;
        try { return frame.name; } catch { return "vector-?"; }
    };
    for (const name of ["alert", "confirm", "prompt", "print", "msgbox"])
        window[name] = () => console.log(`RAN ${place()}`);
}"""
# What a reader does, with or without meaning to. Links to other sites are left alone.
STIR: Final = """() => {
    const events = ["mouseover", "mouseenter", "pointerover", "mousemove", "focus", "blur", "click", "keydown", "wheel",
        "scroll", "copy", "toggle", "load", "error", "animationstart", "transitionend", "submit", "start"];
    const elements = [document.body, ...document.body.querySelectorAll("*")];
    for (const element of elements)
        for (const name of events) element.dispatchEvent(new Event(name));
    for (const link of elements.filter(element => element.localName === "a" && element.hasAttribute("href")))
        if (!["http:", "https:", "mailto:"].includes(link.protocol) || link.host === location.host) link.click?.();
}"""


def allowlist() -> list[object]:
    return [sorted(TAGS), {"a": [*ATTRIBUTES["a"], "rel"]}]


def mail(number: int, markup: str) -> bytes:
    """In base64, so that every character arrives."""
    body = base64.encodebytes(markup.encode("utf-8", errors="replace"))
    head = f"From: a@example.org\nSubject: {number}\nMIME-Version: 1.0\nContent-Type: text/html; charset=utf-8\n"
    return (f"{head}Content-Transfer-Encoding: base64\n\n".encode() + body).replace(b"\n", b"\r\n")


async def stored(visitor: Visitor) -> dict[int, str]:
    """Every vector as a message of its own: the index of the vector, and the id of the message."""
    actor, address = await visitor.actor(), await visitor.address()
    recipient = AcceptedRecipient(
        address=address.address, tag=None, recipient=await visitor.world.recipient(address.address)
    )
    for number, vector in enumerate(VECTORS):
        incoming = Incoming(mail_from="a@example.org", recipients=(recipient,), transport=Transport())
        async with visitor.world.core.ingest.begin(incoming) as delivery:
            await delivery.feed(mail(number, vector.markup))
            assert await delivery.finish() == [None]
    ids: dict[int, str] = {}
    before: int | None = None
    while len(ids) < len(VECTORS):
        page, before = await visitor.world.core.inbox.list(actor, MessageQuery(limit=200, before=before))
        ids |= {int(summary.subject): summary.id for summary in page}
    return ids


@pytest.mark.timeout(300)
async def test_attack_051_052_054_no_vector_does_anything_in_the_page_of_a_message(
    chromium: Browser, ada: Visitor
) -> None:
    ids = await stored(ada)
    url = ada.world.url
    async with context_of(chromium, ada) as context:
        with watching(context, url) as watch:
            page = await context.new_page()
            await page.goto(f"{url}/messages/{ids[0]}")
            await expect(page.locator("#live-state")).to_have_attribute("data-state", "on")
            outside = await page.evaluate(OUTSIDE)
            for batch in batches(sorted(ids)):
                await page.evaluate(SHOW, [f"/messages/{ids[index]}/html" for index in batch])
                await page.wait_for_timeout(SETTLE_MS)
                strange = {
                    VECTORS[index].name: await frame_of(page, place).evaluate(STRANGE, allowlist())
                    for place, index in enumerate(batch)
                }
                assert {name: found for name, found in strange.items() if found != [OUR_HEAD]} == {}
                await page.evaluate(HIDE)
                assert await page.evaluate(OUTSIDE) == outside
                assert [each.url for each in context.pages] == [f"{url}/messages/{ids[0]}"]
                assert (watch.foreign(), watch.dialogs, watch.console) == ([], [], []), names(batch)
        own = [urlsplit(request).path for request in watch.requests]
        assert not [path for path in own if "/logout" in path]


def frame_of(page: Page, place: int) -> Frame:
    frame = page.frame(f"vector-{place}")
    assert frame is not None
    return frame


def names(batch: list[int]) -> list[str]:
    return [VECTORS[index].name for index in batch]


def some_of_them(*, full_size: bool) -> range:
    """The indexes of all vectors at full size, else of one in four."""
    return range(0, len(VECTORS), 1 if full_size else 4)


def batches(indexes: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(indexes), BATCH):
        yield indexes[start : start + BATCH]


class BarePage:
    """Documents in frames of a page that forbids nothing: which vectors ran a script or asked for something."""

    def __init__(self, page: Page, documents: dict[int, str]) -> None:
        self.ran: set[int] = set()
        self.asked: set[int] = set()
        self._page = page
        self._documents = documents
        self._batch: list[int] = []

    async def serve(self, route: Route) -> None:
        request = route.request
        vector = re.fullmatch(rf"{BARE}/vector/(\d+)", request.url)
        if request.url == f"{BARE}/":
            await route.fulfill(content_type="text/html", body="<!doctype html><div><iframe></iframe></div>")
        elif vector:
            body = f"<!doctype html><meta charset=utf-8><title></title><body>{self._documents[int(vector[1])]}"
            await route.fulfill(content_type="text/html", body=body)
        else:
            self._note(self.asked, request.frame)
            await route.abort()

    def hear(self, message: ConsoleMessage) -> None:
        if message.text.startswith("RAN "):
            self.ran.add(self._index(message.text.removeprefix("RAN ")))

    def _note(self, found: set[int], frame: Frame) -> None:
        """A frame within a vector's is the vector's."""
        while frame.parent_frame is not None and frame.parent_frame.parent_frame is not None:
            frame = frame.parent_frame
        found.add(self._index(frame.name))

    def _index(self, frame_name: str) -> int:
        place = frame_name.removeprefix("vector-")
        return self._batch[int(place)] if place.isdecimal() else UNKNOWN

    async def show(self, batch: list[int]) -> None:
        self._batch = batch
        await self._page.goto(f"{BARE}/")
        await self._page.evaluate(SHOW, [f"{BARE}/vector/{index}" for index in batch])
        await self._page.wait_for_timeout(SETTLE_MS)
        for frame in self._page.main_frame.child_frames:
            await self._stir(frame)
        await self._page.wait_for_timeout(SETTLE_MS)

    async def _stir(self, frame: Frame) -> None:
        try:
            await frame.evaluate(STIR)
        except Error:  # the vector has led its frame away, which is on the list already
            assert not frame.url.startswith(f"{BARE}/vector/")


async def show_bare(chromium: Browser, documents: dict[int, str]) -> BarePage:
    async with await chromium.new_context() as context:
        await context.add_init_script(HOOKS)
        page = await context.new_page()
        page.set_default_timeout(30_000)
        bare = BarePage(page, documents)
        await context.route("**/*", bare.serve)
        page.on("console", bare.hear)
        for batch in batches(list(documents)):
            await bare.show(batch)
        assert len(context.pages) == 1
    return bare


@pytest.mark.timeout(300)
async def test_attack_051_052_what_is_left_is_harmless_anywhere(chromium: Browser, *, full_size: bool) -> None:
    """Also for those who show it in a page of their own, without any policy. The product's page always shows all."""
    indexes = some_of_them(full_size=full_size)
    bare = await show_bare(chromium, {index: sanitise(VECTORS[index].markup).html for index in indexes})
    assert names(sorted(bare.ran)) == []
    assert names(sorted(bare.asked)) == []


@pytest.mark.timeout(300)
async def test_the_browser_would_notice(
    chromium: Browser, report_measured: Callable[[str], None], *, full_size: bool
) -> None:
    """The same page with vectors as they came: most of them do what they are there for."""
    indexes = some_of_them(full_size=full_size)
    bare = await show_bare(chromium, {index: VECTORS[index].markup for index in indexes})
    acted = (bare.ran | bare.asked) - {UNKNOWN}
    report_measured(f"of {len(indexes)} vectors {len(bare.ran)} ran, {len(bare.asked)} asked, {len(acted)} did either")
    assert len(bare.ran - {UNKNOWN}) > len(indexes) / 4
    assert len(acted) > len(indexes) / 3
