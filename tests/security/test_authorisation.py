"""Every route of the API against every kind of caller, by the table in authorisation.md."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from api.test_callers import body_of
from api.world import PASSWORD, Answer, Customer, World, open_world, settings_in
from mailkeep.domain.scope import Scope
from mailkeep_api.app import ROUTES
from mailkeep_api.routing import PUBLIC, Raw, Route
from security.callers import Callers, gather, session_of
from security.table import Row, read_table

pytestmark = pytest.mark.asyncio(loop_scope="module")

MAIL = b"From: s@example.org\r\nSubject: hello\r\nContent-Type: application/pdf; name=a.pdf\r\n\r\nbody\r\n"
TABLE = read_table()
READING = {Scope.MESSAGES_READ}


def name(route: Route) -> str:
    return f"{route.method} {route.path}"


every_route = pytest.mark.parametrize("route", ROUTES, ids=name)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with open_world(settings_in(tmp_path_factory.mktemp("callers"))) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ada(world: World) -> Customer:
    ada = await world.register("ada@example.org")
    await world.deliver(MAIL, ada)
    return ada


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bob(world: World) -> Customer:
    return await world.register("bob@example.org")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def callers(world: World, ada: Customer) -> Callers:
    return await gather(world, ada)


async def knock(world: World, route: Route, token: str | None, **ids: str) -> Answer:
    """Ask without a body where one is needed: whoever is let in is told that, and nothing is changed.

    A stream is asked for its headers alone, which is the same question.
    """
    streams = isinstance(route.returns, Raw) and "text/event-stream" in route.returns.media_types
    path = re.sub(r"\{(\w+)\}", lambda match: ids.get(match[1], "0"), route.path)
    body = {"no such field": 0} if route.body is not None and not ids else body_of(route)
    return await world.ask("HEAD" if streams else route.method, path, token, json=body)


def is_let_in(answer: Answer) -> bool:
    assert answer.status < 500, answer
    return answer.status not in (401, 403)


def row_of(route: Route) -> Row:
    assert name(route) in TABLE, "a route without a line in authorisation.md: decide who may call it"
    return TABLE[name(route)]


async def test_the_table_names_no_route_that_is_gone() -> None:
    assert set(TABLE) == {name(route) for route in ROUTES}


@every_route
async def test_nobody(world: World, callers: Callers, route: Route) -> None:
    for what, token in callers.nobody.items():
        answer = await knock(world, route, token)
        if row_of(route).public:
            assert is_let_in(answer), what
        else:
            assert answer.status == 401, what


@every_route
async def test_roles(world: World, callers: Callers, route: Route) -> None:
    row = row_of(route)
    for role, user in callers.roles.items():
        answer = await knock(world, route, await session_of(world, user))
        assert is_let_in(answer) is (row.public or role.value in row.roles), role


@every_route
async def test_tokens_of_one_scope(world: World, callers: Callers, route: Route) -> None:
    row = row_of(route)
    for scope, token in callers.tokens.items():
        answer = await knock(world, route, token)
        assert is_let_in(answer) is (row.public or scope.value in row.scopes), scope


@every_route
async def test_attack_077_what_is_anothers(world: World, ada: Customer, bob: Customer, route: Route) -> None:
    """The ids are real and belong to somebody else: the answer is that there is no such thing."""
    expected = row_of(route).anothers
    if expected == "-":
        assert not route.path_parameters or route.scope in {Scope.ADMIN, PUBLIC}
        return
    ids = await ids_of(world, ada)
    answer = await knock(world, route, bob.token, **{key: ids[key] for key in route.path_parameters})
    assert str(answer.status) == expected


async def ids_of(world: World, ada: Customer) -> dict[str, str]:
    owner = await world.core.accounts.authenticate(ada.email, PASSWORD)
    ada = replace(ada, token=await session_of(world, owner))  # a role that was tried may have ended all others
    message_id = await world.only_message(ada)
    detail = (await world.ask("GET", f"/api/v1/messages/{message_id}", ada)).json
    return {
        "message_id": message_id,
        "attachment_id": detail["attachments"][0]["id"],
        "address_id": ada.address_id,
        "token_id": (await world.core.tokens.create(await world.core.sessions.actor(ada.token), "x", READING))[1].id,
        "session_id": (await world.core.sessions.open(owner)).id,
    }
