"""The pages, people who visit them, and a browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser

from api.world import World
from web.browsers import open_chromium
from web.site import Visitor, open_site, site_settings, visitor_of


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
    async with open_chromium() as browser:
        yield browser
