"""q over HTTP: lists, errors that point at the character, and deletion."""

from __future__ import annotations

from typing import Any

import pytest

from api.world import Customer, World
from mailkeep.domain.scope import Scope, operator

PATH = "/api/v1/messages"


async def fill(world: World, *customers: Customer) -> None:
    for number in range(5):
        word = "fizz" if number % 2 else "buzz"
        await world.deliver(b"Subject: Order %d\r\n\r\n%b\r\n" % (number, word.encode()), *customers)


async def subjects(world: World, caller: Customer, **params: Any) -> list[str]:
    answer = await world.ask("GET", PATH, caller, params=params)
    assert answer.status == 200, answer
    return [item["subject"] for item in answer.json["items"]]


async def test_the_list_takes_a_search(world: World, ada: Customer, bob: Customer) -> None:
    await fill(world, ada, bob)
    assert await subjects(world, ada, q="fizz") == ["Order 3", "Order 1"]
    assert await subjects(world, ada, q='subject:"order 4"') == ["Order 4"]
    assert await subjects(world, ada, q="fizz", address=ada.address, after=2) == ["Order 3"]
    assert await subjects(world, ada, q="") == [f"Order {number}" for number in range(4, -1, -1)]
    assert await subjects(world, ada, q=f"to:{bob.address}") == []


async def test_the_next_page_is_of_the_same_search(world: World, ada: Customer) -> None:
    await fill(world, ada)
    first = await world.ask("GET", PATH, ada, params={"q": 'body:"buzz"', "limit": 2})
    assert [item["subject"] for item in first.json["items"]] == ["Order 4", "Order 2"]
    assert first.json["next"] == first.json["items"][-1]["seq"]
    second = await world.ask("GET", first.headers["Link"].split(">")[0][1:], ada)
    assert [item["subject"] for item in second.json["items"]] == ["Order 0"]
    assert second.json["next"] is None
    assert "next" not in second.headers["Link"]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_search_that_cannot_be_read_says_where(world: World, ada: Customer, method: str) -> None:
    answer = await world.ask(method, PATH, ada, params={"q": "order fro:<b>anna"})
    assert answer.is_problem(422, "invalid-input")
    (error,) = answer.json["errors"]
    assert (error["field"], error["code"], error["position"], error["length"]) == ("q", "invalid_query", 6, 4)
    assert "from:" in error["message"]
    assert b"anna" not in answer.body


async def test_attack_080_a_search_is_data(world: World, ada: Customer) -> None:
    await fill(world, ada)
    for q in ("ord%", "o_der", "order*", "x' OR 'a'='a", 'x") OR 1=1', "\x00order\x00x", "a" * 1000):
        assert await subjects(world, ada, q=q) == ([] if q != "order*" else await subjects(world, ada)), q
    for q in ("a" * 1001, "a " * 51, '"', "%", "--"):
        assert (await world.ask("GET", PATH, ada, params={"q": q})).is_problem(422, "invalid-input"), q


async def test_what_a_search_finds_is_deleted(world: World, ada: Customer, bob: Customer) -> None:
    await fill(world, ada, bob)
    assert (await world.ask("DELETE", PATH, ada, params={"q": "fizz"})).json == {"deleted": 2}
    assert await subjects(world, ada) == ["Order 4", "Order 2", "Order 0"]
    assert len(await subjects(world, bob)) == 5


async def test_what_a_search_finds_is_marked(world: World, ada: Customer, bob: Customer) -> None:
    await fill(world, ada, bob)

    async def mark(params: dict[str, str], *, read: bool) -> Any:
        return await world.ask("PATCH", PATH, ada, params=params, json={"read": read})

    assert (await mark({"q": "fizz"}, read=True)).json == {"updated": 2}
    assert await subjects(world, ada, q="is:read") == ["Order 3", "Order 1"]
    assert (await mark({"q": "is:unread"}, read=True)).json == {"updated": 3}
    assert (await mark({"q": "order"}, read=False)).json == {"updated": 5}
    assert await subjects(world, ada, q="is:read") == []
    assert len(await subjects(world, bob, q="is:unread")) == 5
    for params in ({}, {"q": " "}, {"q": "fizz", "address": "a"}):
        assert (await mark(params, read=True)).is_problem(422, "invalid-input")
    assert await subjects(world, ada, q="is:read") == []


@pytest.mark.parametrize("params", [{}, {"q": ""}, {"q": " "}, {"q": "fizz", "address": "a"}], ids=str)
async def test_a_deletion_says_of_what(world: World, ada: Customer, params: dict[str, str]) -> None:
    await fill(world, ada)
    assert (await world.ask("DELETE", PATH, ada, params=params)).is_problem(422, "invalid-input")
    assert len(await subjects(world, ada)) == 5


async def test_a_token_that_may_read_may_not_delete(world: World, ada: Customer) -> None:
    await fill(world, ada)
    token, _ = await world.core.service_tokens.create(operator(), "other", {Scope.POLICY})
    assert (await world.ask("DELETE", PATH, token, params={"q": "fizz"})).is_problem(403, "not-allowed")
    assert (await world.ask("DELETE", PATH, params={"q": "fizz"})).is_problem(401, "not-authenticated")
    assert len(await subjects(world, ada)) == 5
