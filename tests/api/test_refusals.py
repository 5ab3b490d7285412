"""Refused mail: reported by mxd, told to the owner of the address."""

from __future__ import annotations

from typing import Any

import pytest

from api.world import Customer, World
from mailkeep.domain.clock import rfc3339, utc_now

PATH = "/api/internal/refusals"


def item(customer: Customer, **changes: Any) -> dict[str, Any]:
    now = rfc3339(utc_now())
    return {
        "address_id": customer.address_id,
        "code": 550,
        "status": "5.2.1",
        "reason": "this address receives no mail at present",
        "mail_from": "shop@example.org",
        "rcpt_to": customer.address,
        "client_ip": "192.0.2.7",
        "client_name": "mx.example.org",
        "first_at": now,
        "last_at": now,
        "count": 1,
        **changes,
    }


async def test_what_is_reported_is_told(world: World, ada: Customer, bob: Customer, policy_token: str) -> None:
    reported = item(ada, count=3)
    batch = {"items": [reported, item(bob), item(ada, address_id="unknown")]}
    assert (await world.ask("POST", PATH, policy_token, json=batch)).status == 204
    told = (await world.ask("GET", f"/api/v1/addresses/{ada.address_id}/refusals", ada)).json
    assert told["next"] is None
    assert [{**told, "address_id": ada.address_id} for told in told["items"]] == [
        {**reported, "id": told["items"][0]["id"]}
    ]


async def test_pages(world: World, ada: Customer, policy_token: str) -> None:
    codes = {"550": "5.2.1", "452": "4.2.2", "450": "4.2.1"}
    for code, status in codes.items():
        batch = {"items": [item(ada, code=int(code), status=status)]}
        assert (await world.ask("POST", PATH, policy_token, json=batch)).status == 204
    url = f"/api/v1/addresses/{ada.address_id}/refusals?limit=2"
    first = await world.ask("GET", url, ada)
    second = await world.ask("GET", f"{url}&before={first.json['next']}", ada)
    assert [told["code"] for told in first.json["items"] + second.json["items"]] == [450, 452, 550]
    assert f"before={first.json['next']}" in first.headers["Link"]
    assert second.json["next"] is None


async def test_it_is_the_owners(world: World, ada: Customer, bob: Customer, policy_token: str) -> None:
    path = f"/api/v1/addresses/{ada.address_id}/refusals"
    assert (await world.ask("GET", path, bob)).is_problem(404, "not-found")
    assert (await world.ask("GET", path)).is_problem(401, "not-authenticated")
    assert (await world.ask("GET", path, policy_token)).is_problem(403, "not-allowed")
    assert (await world.ask("POST", PATH, ada, json={"items": [item(ada)]})).is_problem(403, "not-allowed")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("code", 250),
        ("code", "550"),
        ("status", "5.2"),
        ("count", 0),
        ("count", 2**40),
        ("mail_from", "x" * 321),
        ("first_at", "yesterday"),
        ("first_at", "2026-11-24T09:30:00"),
        ("first_at", 1),
        ("last_at", "0001-01-01T00:00:00+14:00"),
        ("account_id", "another"),
    ],
)
async def test_a_wrong_item(world: World, ada: Customer, policy_token: str, field: str, value: object) -> None:
    answer = await world.ask("POST", PATH, policy_token, json={"items": [item(ada, **{field: value})]})
    assert answer.is_problem(422, "invalid-input")
    assert [error["field"] for error in answer.json["errors"]] == [f"items.0.{field}"]


async def test_a_batch_has_an_end(world: World, ada: Customer, policy_token: str) -> None:
    assert (await world.ask("POST", PATH, policy_token, json={"items": []})).status == 204
    answer = await world.ask("POST", PATH, policy_token, json={"items": [item(ada)] * 201})
    assert answer.is_problem(422, "invalid-input")
