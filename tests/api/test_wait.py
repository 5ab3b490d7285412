"""Waiting for messages with the list, and walking the list both ways."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import event

from api.world import Answer, Customer, World, fresh_core, open_world, settings_in, world_of
from mailkeep.domain.message import MessageQuery
from mailkeep_api.app import create_app

PATH = "/api/v1/messages"
A_MOMENT_S = 0.3


def mail(subject: str, body: str = "Hello.") -> bytes:
    return f"From: Shop <shop@example.org>\r\nSubject: {subject}\r\n\r\n{body}\r\n".encode()


async def listed(world: World, customer: Customer, **params: Any) -> Any:
    answer = await world.ask("GET", PATH, customer, params=params)
    assert answer.status == 200, answer
    return answer.json


@contextmanager
def counted_statements(world: World) -> Iterator[list[str]]:
    """What is asked of the database while the block lasts, each time."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: object) -> None:
        statements.append(statement)

    engine = world.core.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


def seqs(page: Any) -> list[int]:
    return [item["seq"] for item in page["items"]]


async def begin(world: World, customer: Customer, **params: Any) -> asyncio.Task[Any]:
    """A wait that has begun, and is not over."""
    wait = asyncio.create_task(listed(world, customer, **params))
    await asyncio.sleep(A_MOMENT_S)
    assert not wait.done()
    return wait


async def another_address(world: World, customer: Customer) -> Customer:
    made = (await world.ask("POST", "/api/v1/addresses", customer, json={})).json
    return Customer(customer.email, customer.token, customer.account_id, made["address"], made["id"])


async def test_what_is_there_is_answered_at_once(world: World, ada: Customer) -> None:
    await world.deliver(mail("First"), ada)
    page = await asyncio.wait_for(listed(world, ada, wait=60), 5)
    assert (seqs(page), page["cursor"], page["timed_out"], page["near_misses"]) == ([1], 1, False, [])
    page = await asyncio.wait_for(listed(world, ada, wait=60, after=0, q="subject:first"), 5)
    assert (seqs(page), page["cursor"]) == ([1], 1)


async def test_a_wait_ends_with_the_message(world: World, ada: Customer, bob: Customer) -> None:
    await world.deliver(mail("Old"), ada)
    wait = await begin(world, ada, wait=60, after=1)
    await world.deliver(mail("Not for Ada"), bob)
    await world.deliver(mail("New"), ada)
    page = await asyncio.wait_for(wait, 1)
    assert [item["subject"] for item in page["items"]] == ["New"]
    assert (page["cursor"], page["timed_out"], page["near_misses"]) == (2, False, [])


async def test_a_wait_for_several(world: World, ada: Customer) -> None:
    wait = await begin(world, ada, wait=60, after=0, count=3)
    for number in range(3):
        assert not wait.done()
        await world.deliver(mail(f"Number {number}"), ada)
        await asyncio.sleep(A_MOMENT_S)
    page = await asyncio.wait_for(wait, 1)
    assert (seqs(page), page["timed_out"]) == ([3, 2, 1], False)


async def test_one_that_was_deleted_meanwhile_does_not_count(world: World, ada: Customer) -> None:
    wait = await begin(world, ada, wait=60, after=0, count=2)
    await world.deliver(mail("Goes"), ada)
    await asyncio.sleep(A_MOMENT_S)
    await world.ask("DELETE", f"{PATH}/{await world.only_message(ada)}", ada)
    await world.deliver(mail("Stays"), ada)
    await asyncio.sleep(A_MOMENT_S)
    assert not wait.done()
    await world.deliver(mail("Stays, too"), ada)
    assert seqs(await asyncio.wait_for(wait, 1)) == [3, 2]


async def test_a_wait_in_vain_says_what_came_instead(world: World, ada: Customer) -> None:
    other = await another_address(world, ada)
    await world.deliver(mail("Before the cursor"), ada)
    q = 'is:unread subject:"order 17" -from:shop'
    wait = asyncio.create_task(listed(world, ada, wait=1.5, after=1, q=q, address=ada.address))
    await world.deliver(mail("Order 18"), ada)
    await world.deliver(mail("Order 17").replace(b"Shop <shop@", b"Bob <bob@"), other)
    page = await asyncio.wait_for(wait, 4)
    assert (page["items"], page["timed_out"], page["cursor"]) == ([], True, 3)
    wrong_address, wrong_words = page["near_misses"]
    assert wrong_address["message"]["subject"] == "Order 17"
    assert wrong_address["failed"] == [
        {"parameter": "address", "text": ada.address, "position": None, "length": None},
    ]
    assert wrong_words["message"]["subject"] == "Order 18"
    assert wrong_words["failed"] == [
        {"parameter": "q", "text": text, "position": q.index(text), "length": len(text)}
        for text in ('subject:"order 17"', "-from:shop")
    ]


async def test_near_misses_are_the_newest_and_few(world: World, ada: Customer) -> None:
    for number in range(12):
        await world.deliver(mail(f"Number {number}"), ada)
    page = await listed(world, ada, wait=0, after=0, q="absent")
    assert [miss["message"]["seq"] for miss in page["near_misses"]] == list(range(12, 2, -1))
    assert (await listed(world, ada, wait=0.1, q="absent"))["near_misses"] == []  # nothing came during the wait


async def test_silence_is_proved_and_broken(world: World, ada: Customer) -> None:
    started = asyncio.get_running_loop().time()
    page = await listed(world, ada, wait=0.5, count=0, after=0)
    assert 0.5 <= asyncio.get_running_loop().time() - started < 2
    assert (page["items"], page["timed_out"]) == ([], True)
    wait = await begin(world, ada, wait=60, count=0, after=page["cursor"], q="refund")
    await world.deliver(mail("No such word"), ada)
    await asyncio.sleep(A_MOMENT_S)
    assert not wait.done()
    await world.deliver(mail("Your refund"), ada)
    page = await asyncio.wait_for(wait, 1)
    assert (seqs(page), page["timed_out"], page["cursor"]) == ([2], False, 2)


async def test_fewer_than_asked_for_are_there_when_the_time_is_up(world: World, ada: Customer) -> None:
    await world.deliver(mail("One"), ada)
    page = await listed(world, ada, wait=0.2, count=2)
    assert (seqs(page), page["timed_out"]) == ([1], True)


async def test_waiting_marks_nothing_as_read(world: World, ada: Customer) -> None:
    await world.deliver(mail("Unread"), ada)
    await listed(world, ada, wait=1)
    assert [item["read"] for item in (await listed(world, ada))["items"]] == [False]


@pytest.mark.parametrize("q", ["", "hello", "is:unread", 'subject:number "hello"'])
async def test_from_cursor_to_cursor_each_is_seen_once(world: World, ada: Customer, q: str) -> None:
    for number in range(25):
        await world.deliver(mail(f"Number {number}"), ada)
    seen: list[int] = []
    cursor = 0
    for _ in range(4):
        page = await listed(world, ada, after=cursor, limit=7, q=q)
        assert seqs(page) == sorted(seqs(page), reverse=True)
        seen += reversed(seqs(page))
        cursor = page["cursor"]
    assert (seen, page["previous"], cursor) == (list(range(1, 26)), None, 25)


async def test_links_lead_both_ways(world: World, ada: Customer) -> None:
    for number in range(10):
        await world.deliver(mail(f"Number {number}"), ada)
    down, first = await walk(world, ada, f"{PATH}?limit=4&q=number", "next")
    assert down == [[10, 9, 8, 7], [6, 5, 4, 3], [2, 1]]
    up, _ = await walk(world, ada, first, "prev")
    assert up == [[2, 1], [6, 5, 4, 3], [10, 9, 8, 7]]
    up, last = await walk(world, ada, f"{PATH}?limit=4&after=2", "prev")
    assert up == [[6, 5, 4, 3], [10, 9, 8, 7]]
    down, _ = await walk(world, ada, last, "next")
    assert down == [[10, 9, 8, 7], [6, 5, 4, 3], [2, 1]]
    between, _ = await walk(world, ada, f"{PATH}?limit=2&after=3&before=8", "next")
    assert between == [[7, 6], [5, 4]]


async def walk(world: World, customer: Customer, path: str, relation: str) -> tuple[list[list[int]], str]:
    """The seqs of each page that links of this relation lead to, and the path of the last page."""
    pages = []
    while True:
        answer = await world.ask("GET", path, customer)
        pages.append(seqs(answer.json))
        links = {
            part.split('rel="')[1].rstrip('"'): part.split(">")[0].strip(" <")
            for part in answer.headers.get("Link", "").split(",")
            if part
        }
        assert (relation in links) == (answer.json["next" if relation == "next" else "previous"] is not None)
        if relation not in links:
            return pages, path
        path = links[relation]


async def test_a_link_of_a_wait_does_not_wait(world: World, ada: Customer) -> None:
    for number in range(3):
        await world.deliver(mail(f"Number {number}"), ada)
    answer = await world.ask("GET", PATH, ada, params={"wait": 5, "count": 1, "limit": 1})
    assert answer.headers["Link"] == f'<{PATH}?limit=1&before=3>; rel="next"'


NONSENSE = [
    *((f"wait={value}", "wait") for value in ("-1", "60.001", "nan", "inf", "1e9", "x", "", "1;drop")),
    *((f"wait=1&count={value}", "count") for value in ("-1", "201", "1.5", "x", "51", "9223372036854775808")),
    ("count=1", "count"),
    ("wait=1&before=5", "before"),
    ("wait=1&wait=2", "wait"),
    ("wait=1&order=seq", "order"),
    ("wait=1&after=-1", "after"),
    ("wait=1&q=%22", "q"),
]


async def test_attack_080_what_cannot_be_waited_for(world: World, ada: Customer) -> None:
    for query, field in NONSENSE:
        answer = await world.ask("GET", f"{PATH}?{query}", ada)
        assert answer.is_problem(422, "invalid-input")
        assert [error["field"] for error in answer.json["errors"]] == [field], query


async def test_attack_061_nobody_waits_for_anothers_mail(world: World, ada: Customer, bob: Customer) -> None:
    answer = await world.ask("GET", PATH, bob, params={"wait": 1, "address": ada.address})
    assert answer.is_problem(404, "not-found")
    await world.deliver(mail("For Ada"), ada)
    page = await listed(world, bob, wait=0.1, after=0, q="absent")
    assert (page["items"], page["near_misses"]) == ([], [])


async def test_attack_102_so_many_wait_and_no_more(tmp_path: Path) -> None:
    async with open_world(settings_in(tmp_path, http={"max_waiters": 3})) as world:
        ada, bob = [await world.register(f"{name}@example.org") for name in ("ada", "bob")]
        waits = [await begin(world, ada, wait=60, after=0) for _ in range(3)]
        refused = await world.ask("GET", PATH, ada, params={"wait": 60})
        assert refused.is_problem(429, "rate-exceeded")
        assert refused.headers["Retry-After"]
        assert (await listed(world, bob, wait=0.1))["timed_out"]
        assert (await world.ask("GET", PATH, ada)).status == 200
        await world.deliver(mail("For all"), ada)
        assert [seqs(await asyncio.wait_for(wait, 1)) for wait in waits] == [[1]] * 3
        await listed(world, ada, wait=0.1)


async def test_a_client_that_leaves_is_waited_for_no_longer(world: World, ada: Customer) -> None:
    wait = await begin(world, ada, wait=60, after=0)
    assert world.core.waits.waiting(ada.account_id) == 1
    wait.cancel()
    await asyncio.gather(wait, return_exceptions=True)
    async with asyncio.timeout(3):
        while world.core.waits.waiting(ada.account_id) or _tasks("arrivals"):  # noqa: ASYNC110  the server says nothing
            await asyncio.sleep(0.05)


def _tasks(name: str) -> list[str]:
    return [task.get_name() for task in asyncio.all_tasks() if task.get_name() == name]


async def test_a_server_that_stops_ends_the_waits_and_proves_nothing(tmp_path: Path) -> None:
    """The process may end before the time is up: `timed_out` would claim a silence that nobody saw."""
    settings = settings_in(tmp_path)
    async with fresh_core(settings) as core, aiohttp.ClientSession() as client:
        async with world_of(core, create_app(core, settings)) as served:
            world = World(core=core, url=served.url, client=client)
            token = (await world.register("ada@example.org")).token
            wait = asyncio.create_task(world.ask("GET", f"{PATH}?wait=60&count=0", token))
            await asyncio.sleep(A_MOMENT_S)
            assert not wait.done()
            stopped_at = asyncio.get_running_loop().time()
        answer: Answer = await wait
        assert asyncio.get_running_loop().time() - stopped_at < 2
        assert answer.is_problem(503, "unavailable")
        assert answer.headers["Retry-After"]


async def test_many_who_wait_look_at_the_database_together(world: World, ada: Customer) -> None:
    """One look a second for all, whoever waits; a search only when something came."""
    actor = await world.core.sessions.actor(ada.token)
    waits = [
        asyncio.create_task(world.core.waits.wait(actor, MessageQuery(after=0), count=1, timeout_s=60))
        for _ in range(50)
    ]
    await asyncio.sleep(A_MOMENT_S)
    with counted_statements(world) as statements:
        await asyncio.sleep(2.2)
    assert 1 <= len(statements) <= 4, statements
    await world.deliver(mail("For all"), ada)
    assert {len(waited.page.items) for waited in await asyncio.wait_for(asyncio.gather(*waits), 5)} == {1}
