"""Hostile inputs to every route that takes any, generated from the route table."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
import pytest_asyncio

from api.test_callers import name, path_of
from api.world import Answer, World, open_world, settings_in
from mailkeep.domain.scope import SERVICE_SCOPES, Scope, operator
from mailkeep_api.app import ROUTES
from mailkeep_api.routing import PUBLIC, Route
from security.test_faults import valid_path

pytestmark = pytest.mark.asyncio(loop_scope="module")

WITH_BODY: Final = [route for route in ROUTES if route.body is not None]
WITH_QUERY: Final = [route for route in ROUTES if route.query is not None]
ROOM: Final = 2**21 + 1
MALFORMED: Final = {
    "2 MB": (b'{"a": "' + b"x" * ROOM + b'"}', 413),
    "depth 100,000": (b"[" * 100_000 + b"]" * 100_000, 400),
    "duplicate names": (b'{"a": 1, "a": 2}', 400),
    "NaN": (b'{"a": NaN}', 400),
    "Infinity": (b'{"a": -Infinity}', 400),
    "10,000 digits": (b'{"a": ' + b"9" * 10_000 + b"}", 400),
    "half a surrogate pair": (b'{"a": "\\ud800"}', 400),
    "not UTF-8": (b'{"a": "\xff"}', 400),
    "nothing": (b"", 400),
    "no object": (b"[]", 422),
    "a string": (b'"a"', 422),
    "null": (b"null", 422),
}
NOT_OURS: Final = ("is_admin", "tenant_id", "account_id", "quota", "id", "created_at", "role", "storage_bytes", "scope")
NO_SCALARS: Final[tuple[Any, ...]] = ({"$ne": ""}, {"a": {"b": 1}}, [["x"]], [{"$gt": ""}])


@dataclass(frozen=True, slots=True)
class Callers:
    world: World
    session: str
    services: dict[Scope, str]

    async def ask(self, route: Route, query: str = "", **options: Any) -> Answer:
        token: str | None = self.session
        if isinstance(route.scope, Scope) and route.scope in SERVICE_SCOPES:
            token = self.services[route.scope]
        elif route.scope is PUBLIC:
            token = None
        path = path_of(route) + query if query else valid_path(route)
        return await self.world.ask(route.method, path, token, **options)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def callers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Callers]:
    async with open_world(settings_in(tmp_path_factory.mktemp("inputs"))) as world:
        ada = await world.register("ada@example.org")
        services = {
            scope: (await world.core.service_tokens.create(operator(), "test", {scope}))[0] for scope in SERVICE_SCOPES
        }
        yield Callers(world, ada.token, services)


@pytest.mark.parametrize("kind", MALFORMED)
@pytest.mark.parametrize("route", WITH_BODY, ids=name)
async def test_attack_073_what_is_no_body(callers: Callers, route: Route, kind: str) -> None:
    body, status = MALFORMED[kind]
    answer = await callers.ask(route, data=io.BytesIO(body), headers={"Content-Type": "application/json"})
    assert answer.status == status, answer
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("route", WITH_BODY, ids=name)
async def test_attack_079_what_nobody_may_set(callers: Callers, route: Route) -> None:
    assert route.body is not None
    for field in set(NOT_OURS) - set(route.body.model_fields):
        answer = await callers.ask(route, json={field: "x"})
        assert answer.is_problem(422, "invalid-input")
        assert (field, "extra_forbidden") in {(error["field"], error["code"]) for error in answer.json["errors"]}


@pytest.mark.parametrize("route", WITH_BODY, ids=name)
async def test_attack_098_no_scalar_where_one_is_expected(callers: Callers, route: Route) -> None:
    assert route.body is not None
    for field in route.body.model_fields:
        for value in NO_SCALARS:
            answer = await callers.ask(route, json={field: value})
            assert answer.is_problem(422, "invalid-input")
            assert field in {error["field"].split(".")[0] for error in answer.json["errors"]}


@pytest.mark.parametrize("route", WITH_QUERY, ids=name)
async def test_attack_098_no_object_in_a_query(callers: Callers, route: Route) -> None:
    assert route.query is not None
    for field in route.query.model_fields:
        for query in (f"{field}[$ne]=1", f"{field}[]=1", f"{field}=1&{field}=2"):
            answer = await callers.ask(route, f"?{query}")
            assert answer.is_problem(422, "invalid-input")


@pytest.mark.parametrize("route", WITH_BODY, ids=name)
async def test_attack_071_a_packed_body(callers: Callers, route: Route) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    answer = await callers.ask(route, data=b"\x1f\x8b", headers=headers)
    assert answer.is_problem(415, "unsupported-media-type")
