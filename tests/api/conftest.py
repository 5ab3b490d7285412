"""The API over a real core on SQLite, on a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from api.world import Customer, World, open_world, settings_in
from mailkeep.domain.scope import Scope, operator


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(settings_in(tmp_path)) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def still_world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """One world for a module of requests that change nothing; its tests share the module's loop."""
    async with open_world(settings_in(tmp_path_factory.mktemp("still"))) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def still_ada(still_world: World) -> Customer:
    return await still_world.register("ada@example.org")


@pytest.fixture
async def ada(world: World) -> Customer:
    return await world.register("ada@example.org")


@pytest.fixture
async def bob(world: World) -> Customer:
    return await world.register("bob@example.org")


@pytest.fixture
async def policy_token(world: World) -> str:
    token, _ = await world.core.service_tokens.create(operator(), "mx1", {Scope.POLICY})
    return token
