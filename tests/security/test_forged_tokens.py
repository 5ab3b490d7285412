"""Attacks 87 and 88: JWTs forged in every way that is known, at the door of the API."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from api.world import Customer, World, open_world, settings_in
from mailkeep.bootstrap import session_keys
from mailkeep.errors import NotAuthenticated
from security.forged_tokens import Genuine, forged_tokens, signed

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with open_world(settings_in(tmp_path_factory.mktemp("forged"))) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ada(world: World) -> Customer:
    return await world.register("ada@example.org")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def genuine(world: World, ada: Customer) -> Genuine:
    return Genuine(ada.token, (await session_keys(world.core.settings).ring()).signing)


async def test_attacks_087_and_088_no_forged_token_is_believed(world: World, genuine: Genuine) -> None:
    believed = []
    for name, token in forged_tokens(genuine).items():
        try:
            await world.core.sessions.actor(token)
        except NotAuthenticated:
            continue
        believed.append(name)
    assert believed == []
    await world.core.sessions.actor(genuine.token)


async def test_attacks_087_and_088_at_the_door(world: World, genuine: Genuine) -> None:
    """Those that a header can carry; each is 401, and none an error of ours."""
    for name, token in forged_tokens(genuine).items():
        if not token.isascii() or token != token.strip() or "\n" in token or "\0" in token:
            continue
        answer = await world.ask("GET", "/api/v1/account", token)
        assert answer.is_problem(401, "not-authenticated"), name
    assert (await world.ask("GET", "/api/v1/account", genuine.token)).status == 200


async def test_what_the_forger_makes_is_good_but_for_its_fault(world: World, genuine: Genuine) -> None:
    """The same hand, without a fault: a table of tokens that are refused for another reason would show nothing."""
    again = signed(dict(sorted(genuine.header.items())), genuine.claims, genuine.key.secret)
    assert again == genuine.token
    assert (await world.ask("GET", "/api/v1/account", again)).status == 200
