"""Conditional requests: what is changed is what the caller has seen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from api.world import Answer, Customer, World, open_world, settings_in

ADDRESSES = "/api/v1/addresses"
MAIL = b"From: a@example.org\r\nSubject: one\r\n\r\nHello.\r\n"


@pytest.fixture
async def world(tmp_path: Path, database_url: str) -> AsyncIterator[World]:
    async with open_world(settings_in(tmp_path, database={"url": database_url})) as opened:
        yield opened


async def ask_if(world: World, method: str, path: str, caller: Customer, etag: str, **options: Any) -> Answer:
    return await world.ask(method, path, caller, headers={"If-Match": etag}, **options)


async def etag_of(world: World, path: str, caller: Customer) -> str:
    answer = await world.ask("GET", path, caller)
    assert answer.status == 200
    return str(answer.headers["ETag"])


async def test_an_address_is_changed_as_seen(world: World, ada: Customer) -> None:
    path = f"{ADDRESSES}/{ada.address_id}"
    first = await etag_of(world, path, ada)
    changed = await ask_if(world, "PATCH", path, ada, first, json={"label": "a"})
    assert changed.status == 200
    assert changed.headers["ETag"] == await etag_of(world, path, ada) != first
    assert (await ask_if(world, "PATCH", path, ada, first, json={"label": "b"})).is_problem(412, "precondition-failed")
    assert (await ask_if(world, "DELETE", path, ada, first)).is_problem(412, "precondition-failed")
    assert (await world.ask("GET", path, ada)).json["label"] == "a"
    assert (await ask_if(world, "DELETE", path, ada, changed.headers["ETag"])).status == 204


async def test_a_message_is_changed_as_seen(world: World, ada: Customer) -> None:
    await world.deliver(MAIL, ada)
    path = f"/api/v1/messages/{await world.only_message(ada)}"
    first = await etag_of(world, path, ada)
    assert (await ask_if(world, "PATCH", path, ada, first, json={"read": True})).status == 200
    assert (await ask_if(world, "PATCH", path, ada, first, json={"read": False})).is_problem(412, "precondition-failed")
    assert (await ask_if(world, "DELETE", path, ada, first)).is_problem(412, "precondition-failed")
    assert (await ask_if(world, "DELETE", path, ada, await etag_of(world, path, ada))).status == 204


@pytest.mark.parametrize(
    ("if_match", "fits"),
    [
        ("{etag}", True),
        ('"other", {etag}', True),
        ("*", True),
        ('"{plain}-gz"', True),
        ("W/{etag}", False),
        ('"other"', False),
        ("{plain}", False),
        ("", False),
        ("nonsense", False),
    ],
)
async def test_what_if_match_says(world: World, ada: Customer, if_match: str, fits: bool) -> None:
    path = f"{ADDRESSES}/{ada.address_id}"
    etag = await etag_of(world, path, ada)
    said = if_match.format(etag=etag, plain=etag.strip('"'))
    answer = await ask_if(world, "PATCH", path, ada, said, json={"label": "a"})
    assert answer.status == (200 if fits else 412)


async def test_of_many_who_have_seen_the_same_one_changes_it(world: World, ada: Customer) -> None:
    await world.deliver(MAIL, ada)
    address, message = f"{ADDRESSES}/{ada.address_id}", f"/api/v1/messages/{await world.only_message(ada)}"
    for path, body in ((address, {"label": "a"}), (message, {"read": True})):
        etag = await etag_of(world, path, ada)
        answers = await asyncio.gather(*(ask_if(world, "PATCH", path, ada, etag, json=body) for _ in range(6)))
        assert sorted(answer.status for answer in answers) == [200] + [412] * 5


async def test_another_customers_thing_is_not_there(world: World, ada: Customer, bob: Customer) -> None:
    etag = await etag_of(world, f"{ADDRESSES}/{ada.address_id}", ada)
    for said in (etag, "*"):
        answer = await ask_if(world, "DELETE", f"{ADDRESSES}/{ada.address_id}", bob, said)
        assert answer.is_problem(404, "not-found")


async def test_a_change_is_never_not_modified(world: World, ada: Customer) -> None:
    path = f"{ADDRESSES}/{ada.address_id}"
    changed = await world.ask("PATCH", path, ada, json={"label": "a"}, headers={"If-None-Match": "*"})
    assert (changed.status, changed.json["label"]) == (200, "a")


async def test_head_is_get_without_its_body(world: World, ada: Customer) -> None:
    await world.deliver(MAIL, ada)
    message = f"/api/v1/messages/{await world.only_message(ada)}"
    of_this_answer = {"date", "x-request-id", "ratelimit"}
    for path in ("/api/v1/account", ADDRESSES, "/api/v1/messages", message, f"{message}/source", f"{message}/nothing"):
        get, head = await world.ask("GET", path, ada), await world.ask("HEAD", path, ada)
        assert (head.status, head.body) == (get.status, b"")
        without_body = {name: value for name, value in get.headers.items() if name.lower() not in of_this_answer}
        assert {
            name: value for name, value in head.headers.items() if name.lower() not in of_this_answer
        } == without_body
