"""The pages, people who visit them, and a browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

from api.world import World
from services.required import required_program
from web.site import Visitor, open_site, site_settings, visitor_of

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


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[World]:
    async with open_site(site_settings(tmp_path)) as world:
        yield world


@pytest.fixture
async def stranger(site: World) -> AsyncIterator[Visitor]:
    async with visitor_of(site) as visitor:
        yield visitor


@pytest.fixture
async def ada(site: World) -> AsyncIterator[Visitor]:
    async with visitor_of(site) as visitor:
        await visitor.register("ada@example.org")
        yield visitor


@pytest.fixture
async def bob(site: World) -> AsyncIterator[Visitor]:
    async with visitor_of(site) as visitor:
        await visitor.register("bob@example.org")
        yield visitor


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    program = required_program("chromium")
    async with AsyncExitStack() as stack:
        playwright = await stack.enter_async_context(async_playwright())
        browser = await playwright.chromium.launch(executable_path=program, args=list(QUIET_CHROMIUM), timeout=30_000)
        stack.push_async_callback(browser.close)
        yield browser
