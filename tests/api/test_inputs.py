"""Inputs that name what is wrong with them: queries, changes, registrations."""

from __future__ import annotations

import pytest

from api.world import PASSWORD, Customer, World
from mailkeep.domain.scope import Scope, operator

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUERIES = {
    "/api/v1/addresses": (
        *("limit=0", "limit=201", "limit=-1", "limit=1e9", "limit=x", "before=%27%20OR%201", "order=id"),
        "limit=1&limit=2",
    ),
    "/api/v1/messages": (
        *("after=-1", "before=9223372036854775808", "after=1.5", "limit=1000000000", "sort=seq", "after=1;drop"),
        "address=" + "x" * 255,
    ),
    "/api/v1/messages/0/html": ("raw=2", "raw=", "cooked=1"),
    "/api/internal/recipients": ("wait=26", "wait=-1", "wait=nan", "wait=inf", "after=-1", "limit=0", "limit=10001"),
}


@pytest.mark.parametrize(("path", "query"), [(path, query) for path, queries in QUERIES.items() for query in queries])
async def test_attack_080_queries(still_world: World, still_ada: Customer, path: str, query: str) -> None:
    token = still_ada.token
    if "internal" in path:
        token, _ = await still_world.core.service_tokens.create(operator(), "mx1", {Scope.POLICY})
    answer = await still_world.ask("GET", f"{path}?{query}", token)
    assert answer.is_problem(422, "invalid-input")
    assert [error["field"] for error in answer.json["errors"]] == [query.split("=")[0]]


@pytest.mark.parametrize(
    "body",
    [{"label": None}, {"active": None}, {"active": "false"}, {"active": 0}, {"label": "two\nlines"}, {"status": "x"}],
)
async def test_a_change_is_what_it_says(still_world: World, still_ada: Customer, body: dict[str, object]) -> None:
    answer = await still_world.ask("PATCH", f"/api/v1/addresses/{still_ada.address_id}", still_ada, json=body)
    assert answer.is_problem(422, "invalid-input")
    assert [error["field"] for error in answer.json["errors"]] == list(body)


@pytest.mark.parametrize(
    "body",
    [
        {"local_part": "a b"},
        {"local_part": "a+b"},
        {"local_part": "postmaster"},
        {"local_part": "x" * 65},
        {"local_part": "a\x00b"},
        {"address": "a@elsewhere.test"},
        {"address": "a@b@mail.test"},
    ],
)
async def test_what_is_no_address(still_world: World, still_ada: Customer, body: dict[str, object]) -> None:
    answer = await still_world.ask("POST", "/api/v1/addresses", still_ada, json=body)
    assert answer.is_problem(422, "invalid-input")
    assert [error["field"] for error in answer.json["errors"]] == list(body)


@pytest.mark.parametrize(
    ("email", "password", "field"),
    [
        ("nobody", PASSWORD, "email"),
        ("a@b\r\nBcc: c@example.org", PASSWORD, "email"),
        ("a@example.org", "short", "password"),
        ("a@example.org", "x" * 1025, "password"),
    ],
)
async def test_a_registration_names_what_is_wrong(still_world: World, email: str, password: str, field: str) -> None:
    body = {"email": email, "password": password}
    answer = await still_world.ask("POST", "/api/v1/auth/register", json=body)
    assert answer.is_problem(422, "invalid-input")
    assert [error["field"] for error in answer.json["errors"]] == [field]
    assert password not in answer.body.decode()


async def test_attack_079_nobody_makes_himself_an_administrator(still_world: World) -> None:
    body = {"email": "a@example.org", "password": PASSWORD, "role": "admin", "tier": "paid"}
    answer = await still_world.ask("POST", "/api/v1/auth/register", json=body)
    assert answer.is_problem(422, "invalid-input")
    assert {error["field"] for error in answer.json["errors"]} == {"role", "tier"}
