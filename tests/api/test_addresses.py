"""/addresses over HTTP."""

from __future__ import annotations

import re

from api.world import Customer, World

PATH = "/api/v1/addresses"


async def test_create_change_delete(world: World, ada: Customer) -> None:
    made = await world.ask("POST", PATH, ada, json={"local_part": "Signup", "label": "sign-up tests"})
    assert made.status == 201
    address = made.json
    assert set(address) == {"id", "address", "label", "status", "created_at", "changed_at"}
    assert (address["address"], address["label"], address["status"]) == ("signup@mail.test", "sign-up tests", "active")
    one = f"{PATH}/{address['id']}"
    assert made.headers["Location"] == one
    assert (await world.ask("GET", one, ada)).json == address

    changed = await world.ask("PATCH", one, ada, json={"active": False})
    assert (changed.json["status"], changed.json["label"]) == ("inactive", "sign-up tests")
    changed = await world.ask("PATCH", one, ada, json={"label": ""})
    assert (changed.json["status"], changed.json["label"]) == ("inactive", "")

    assert (await world.ask("DELETE", one, ada)).status == 204
    assert (await world.ask("GET", one, ada)).is_problem(404, "not-found")
    assert (await world.ask("DELETE", one, ada)).is_problem(404, "not-found")


async def test_without_a_wish_the_address_is_random(world: World, ada: Customer) -> None:
    address = (await world.ask("POST", PATH, ada, json={})).json["address"]
    assert re.fullmatch(r"[0-9a-f-]{36}@mail\.test", address)


async def test_an_address_is_given_once(world: World, ada: Customer, bob: Customer) -> None:
    for caller in (ada, bob):
        answer = await world.ask("POST", PATH, caller, json={"address": ada.address})
        assert answer.is_problem(409, "conflict")


async def test_the_tier_has_a_limit(world: World, ada: Customer) -> None:
    answers = [await world.ask("POST", PATH, ada, json={}) for _ in range(3)]
    assert [answer.status for answer in answers] == [201, 201, 403]
    assert answers[-1].is_problem(403, "limit-reached")


async def test_pages(world: World, ada: Customer) -> None:
    for name in ("one", "two"):
        await world.ask("POST", PATH, ada, json={"local_part": name})
    first = await world.ask("GET", PATH, ada, params={"limit": "2"})
    assert [item["address"].split("@")[0] for item in first.json["items"]] == ["two", "one"]
    assert first.headers["Link"] == f'<{PATH}?limit=2&before={first.json["next"]}>; rel="next"'
    second = await world.ask("GET", first.headers["Link"].split(">")[0][1:], ada)
    assert [item["id"] for item in second.json["items"]] == [ada.address_id]
    assert second.json["next"] is None
    assert "Link" not in second.headers


async def test_an_etag_saves_the_body(world: World, ada: Customer) -> None:
    path = f"{PATH}/{ada.address_id}"
    etag = (await world.ask("GET", path, ada)).headers["ETag"]
    unchanged = await world.ask("GET", path, ada, headers={"If-None-Match": etag})
    assert (unchanged.status, unchanged.body, unchanged.headers["ETag"]) == (304, b"", etag)
    await world.ask("PATCH", path, ada, json={"label": "new"})
    assert (await world.ask("GET", path, ada, headers={"If-None-Match": etag})).status == 200
