"""The recipients feed, as mxd polls it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest

from api.world import Answer, Customer, World, fresh_core, settings_in
from mailkeep.domain.scope import Scope, operator
from mailkeep_api.app import create_app
from mailkeep_api.server import serve_http

PATH = "/api/internal/recipients"


async def test_a_snapshot_and_what_follows(world: World, ada: Customer, policy_token: str) -> None:
    snapshot = (await world.ask("GET", PATH, policy_token)).json
    assert snapshot["items"] == [
        {
            "address": ada.address,
            "address_id": ada.address_id,
            "account_id": ada.account_id,
            "active": True,
            "per_hour": 100,
            "over_quota": False,
            "deleted": False,
        }
    ]
    assert snapshot["more"] is False
    after = {"after": str(snapshot["cursor"])}
    await world.ask("PATCH", f"/api/v1/addresses/{ada.address_id}", ada, json={"active": False})
    (item,) = (await world.ask("GET", PATH, policy_token, params=after)).json["items"]
    assert (item["address_id"], item["active"]) == (ada.address_id, False)
    await world.ask("DELETE", f"/api/v1/addresses/{ada.address_id}", ada)
    (item,) = (await world.ask("GET", PATH, policy_token, params=after)).json["items"]
    assert item["deleted"] is True


async def test_pages(world: World, ada: Customer, bob: Customer, policy_token: str) -> None:
    first = (await world.ask("GET", f"{PATH}?limit=1", policy_token)).json
    second = (await world.ask("GET", f"{PATH}?limit=1&after={first['cursor']}", policy_token)).json
    assert [page["more"] for page in (first, second)] == [True, False]
    assert {page["items"][0]["account_id"] for page in (first, second)} == {ada.account_id, bob.account_id}


async def test_a_poll_wakes_within_a_second(world: World, ada: Customer, policy_token: str) -> None:
    cursor = (await world.ask("GET", PATH, policy_token)).json["cursor"]
    poll = asyncio.create_task(world.ask("GET", f"{PATH}?after={cursor}&wait=25", policy_token))
    await asyncio.sleep(0.3)
    assert not poll.done()
    made = await world.ask("POST", "/api/v1/addresses", ada, json={})
    answer = await asyncio.wait_for(poll, 1)
    assert [item["address_id"] for item in answer.json["items"]] == [made.json["id"]]


@pytest.mark.usefixtures("ada")
async def test_a_poll_without_a_change_is_empty(world: World, policy_token: str) -> None:
    cursor = (await world.ask("GET", PATH, policy_token)).json["cursor"]
    answer = await world.ask("GET", f"{PATH}?after={cursor}&wait=0.2", policy_token)
    assert answer.json == {"items": [], "cursor": cursor, "more": False}


async def test_a_stop_ends_the_polls(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    async with fresh_core(settings) as core:
        token, _ = await core.service_tokens.create(operator(), "mx1", {Scope.POLICY})
        headers = {"Authorization": f"Bearer {token}"}
        async with aiohttp.ClientSession(headers=headers) as client:
            async with serve_http(create_app(core, settings), "127.0.0.1:0") as (host, port):
                poll = asyncio.create_task(read(client, f"http://{host}:{port}{PATH}?wait=25"))
                await asyncio.sleep(0.3)
                assert not poll.done()
                stopped_at = asyncio.get_running_loop().time()
            answer = await poll
            assert asyncio.get_running_loop().time() - stopped_at < 1
    assert answer.json == {"items": [], "cursor": 0, "more": False}


async def read(client: aiohttp.ClientSession, url: str) -> Answer:
    async with client.get(url) as response:
        return Answer(response.status, response.headers.copy(), await response.read())
