"""The API's event stream: what it says, where it goes on, when it ends, and who gets none."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from api.events import next_block, next_message, open_stream
from api.world import Customer, World, fresh_core, open_world, settings_in, world_of
from mailkeep.domain.scope import Scope, operator
from mailkeep_api import event_stream
from mailkeep_api.app import create_app

PATH = "/api/v1/events"


def mail(subject: str) -> bytes:
    return f"From: Shop <shop@example.org>\r\nSubject: {subject}\r\n\r\nHello.\r\n".encode()


async def test_each_message_is_an_event(world: World, ada: Customer, bob: Customer) -> None:
    await world.deliver(mail("Old"), ada)
    async with open_stream(world, ada) as stream:
        assert stream.headers["Content-Type"] == "text/event-stream"
        assert stream.headers["Cache-Control"] == "no-store"
        assert (await next_block(stream)).id == "1"
        await world.deliver(mail("For Bob"), bob)
        for number in range(3):
            await world.deliver(mail(f"Number {number}"), ada)
        events = [await next_message(stream) for _ in range(3)]
    items = (await world.ask("GET", "/api/v1/messages", ada, params={"after": 1})).json["items"]
    assert [event.message for event in events] == items[::-1]
    assert [event.id for event in events] == ["2", "3", "4"]


@pytest.mark.parametrize(
    ("query", "headers"), [("?after=1", {}), ("", {"Last-Event-ID": "1"}), ("?after=3", {"Last-Event-ID": "1"})]
)
async def test_it_goes_on_without_a_gap(world: World, ada: Customer, query: str, headers: dict[str, str]) -> None:
    for number in range(3):
        await world.deliver(mail(f"Number {number}"), ada)
    async with open_stream(world, ada, query, headers) as stream:
        assert [(await next_message(stream)).id for _ in range(2)] == ["2", "3"]
        await world.deliver(mail("New"), ada)
        assert (await next_message(stream)).id == "4"


async def test_more_than_go_into_one_write(world: World, ada: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailkeep_api.routes.events.AT_ONCE", 3)
    for number in range(10):
        await world.deliver(mail(f"Number {number}"), ada)
    async with open_stream(world, ada, "?after=0") as stream:
        assert [(await next_message(stream)).id for _ in range(10)] == [str(seq) for seq in range(1, 11)]


async def test_filters(world: World, ada: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    """What did not match is not looked at again: the heartbeat carries the place that has been reached."""
    monkeypatch.setattr(event_stream, "HEARTBEAT_S", 0.5)
    made = (await world.ask("POST", "/api/v1/addresses", ada, json={})).json
    other = Customer(ada.email, ada.token, ada.account_id, made["address"], made["id"])
    query = f"?address={ada.address}&q=subject:wanted"
    async with open_stream(world, ada, query) as stream:
        await next_block(stream)
        await world.deliver(mail("Wanted, but elsewhere"), other)
        await world.deliver(mail("Something else"), ada)
        await asyncio.sleep(1)
        async with asyncio.timeout(5):
            while (await next_block(stream)).id != "2":
                pass
        await world.deliver(mail("Wanted"), ada)
        assert (await next_message(stream)).message["subject"] == "Wanted"


async def test_attack_089_it_ends_with_the_session(world: World, ada: Customer) -> None:
    async with open_stream(world, ada) as stream, open_stream(world, ada) as other:
        await next_block(stream)
        await world.ask("POST", "/api/v1/auth/logout", ada)
        for each in (stream, other):
            assert b"event: message" not in await asyncio.wait_for(each.content.read(), 3)


async def test_a_server_that_stops_does_not_wait_for_streams(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    async with fresh_core(settings) as core, aiohttp.ClientSession() as client:
        async with world_of(core, create_app(core, settings)) as served:
            world = World(core=core, url=served.url, client=client)
            token = (await world.register("ada@example.org")).token
            stream = await open_stream(world, token).__aenter__()
            await next_block(stream)
            stopped_at = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - stopped_at < 3
        assert await stream.content.read() == b""


async def test_a_client_that_leaves_leaves_nothing_behind(world: World, ada: Customer) -> None:
    async with open_stream(world, ada) as stream:
        await next_block(stream)
        assert world.core.waits.waiting(ada.account_id) == 1
    for _ in range(100):
        if not world.core.waits.waiting(ada.account_id):
            return
        await asyncio.sleep(0.05)
    pytest.fail("nobody noticed")


async def test_attack_102_so_many_streams_and_no_more(tmp_path: Path) -> None:
    async with open_world(settings_in(tmp_path, http={"max_waiters": 2})) as world:
        ada, bob = [await world.register(f"{name}@example.org") for name in ("ada", "bob")]
        async with open_stream(world, ada) as first, open_stream(world, ada) as second:
            for stream in (first, second):
                await next_block(stream)
            refused = await world.ask("GET", PATH, ada)
            assert refused.is_problem(429, "rate-exceeded")
            assert refused.headers["Retry-After"]
            async with open_stream(world, bob) as stream:
                assert stream.status == 200


FROM_ELSEWHERE: tuple[dict[str, str], ...] = (
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
)


@pytest.mark.parametrize("path", [PATH, "/api/v1/%65vents"])
async def test_attack_091_other_sites_get_no_stream(world: World, ada: Customer, path: str) -> None:
    for headers in FROM_ELSEWHERE:
        authorised = {**headers, "Authorization": f"Bearer {ada.token}"}
        async with world.client.get(URL(world.url + path, encoded=True), headers=authorised) as answer:
            assert answer.status == 403, headers


async def test_attack_091_a_token_in_the_query_opens_nothing(world: World, ada: Customer) -> None:
    for name in ("token", "access_token", "authorization"):
        for caller in (None, ada):
            assert (await world.ask("GET", f"{PATH}?{name}={ada.token}", caller)).is_problem(403, "not-allowed")
        assert (await world.ask("GET", f"/api/v1/messages?{name}={ada.token}")).is_problem(403, "not-allowed")
    policy, _ = await world.core.service_tokens.create(operator(), "mx1", {Scope.POLICY})
    assert (await world.ask("GET", PATH, policy)).is_problem(403, "not-allowed")


NO_BEGINNINGS = [
    ("?after=-1", "", "after"),
    ("?after=9223372036854775808", "", "after"),
    ("?limit=1", "", "limit"),
    ("?q=fro:a", "", "q"),
    *(("", value, "Last-Event-ID") for value in ("-1", "x", "9223372036854775808", "1;drop")),
]


async def test_attack_080_what_no_stream_begins_with(world: World, ada: Customer) -> None:
    for query, header, field in NO_BEGINNINGS:
        answer = await world.ask("GET", PATH + query, ada, headers={"Last-Event-ID": header})
        assert answer.is_problem(422, "invalid-input")
        assert [error["field"] for error in answer.json["errors"]] == [field]


async def test_attack_061_not_of_anothers_address(world: World, ada: Customer, bob: Customer) -> None:
    assert (await world.ask("GET", f"{PATH}?address={ada.address}", bob)).is_problem(404, "not-found")
