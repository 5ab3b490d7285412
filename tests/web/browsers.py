"""Chromium, started by the tests themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Final

from playwright.async_api import Browser, BrowserContext, Page, ViewportSize, async_playwright

from services.required import required_program
from web.site import Visitor

WIDE: Final[ViewportSize] = {"width": 1440, "height": 900}
NARROW: Final[ViewportSize] = {"width": 360, "height": 740}
PATIENCE_MS: Final = 15_000  # on a machine that does other things as well

# Chromium asks its maker for updates and the like; a test that looks at every request wants none of that.
QUIET_CHROMIUM = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@asynccontextmanager
async def open_chromium() -> AsyncIterator[Browser]:
    program = required_program("chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=list(QUIET_CHROMIUM), timeout=30_000)
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Watch:
    """Everything a browser did that a page has to answer for."""

    origin: str
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)

    def foreign(self) -> list[str]:
        return [url for url in self.requests if not url.startswith(self.origin + "/")]


@contextmanager
def watching(context: BrowserContext, origin: str) -> Iterator[Watch]:
    """Notes every request, dialog, message of the console and error of a script."""
    watch = Watch(origin)
    context.on("request", lambda request: watch.requests.append(request.url))
    context.on("dialog", lambda dialog: watch.dialogs.append(dialog.message))
    context.on("console", lambda message: watch.console.append(f"{message.type}: {message.text}"))
    context.on("weberror", lambda error: watch.console.append(f"error: {error.error}"))
    yield watch


@asynccontextmanager
async def context_of(browser: Browser, visitor: Visitor, **options: object) -> AsyncIterator[BrowserContext]:
    """A browser in which the visitor is logged in, if they are."""
    context = await browser.new_context(**{"viewport": WIDE, **options})  # type: ignore[arg-type]  # by name
    context.set_default_timeout(PATIENCE_MS)
    for cookie in visitor.client.cookie_jar:
        await context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": visitor.world.url}])
    yield context
    await context.close()


async def overflow(page: Page) -> int:
    """By how many pixels the page is wider than the window."""
    width: int = await page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return width
