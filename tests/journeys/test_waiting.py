"""Many who wait for one address while mail comes in: two hosts, each with an API and an mxd, on one MariaDB."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from itertools import cycle, islice
from pathlib import Path

import aiohttp
import pytest

from services.api import logged_in
from services.followers import Follower, by_events, by_list, by_wait
from services.lmtp import lmtp_client
from services.mailkeep import Customer, Mailkeep, wait_for_recipient
from services.mariadb import MariaDb
from services.pair import installed_pair
from services.redis import running_redis
from services.required import required

SENDERS = 10  # at each mxd

Pair = tuple[Mailkeep, Mailkeep]


@pytest.fixture(params=["with redis", "without redis"])
def pair(request: pytest.FixtureRequest, tmp_path: Path, mariadb: MariaDb) -> Iterator[Pair]:
    settings = {"MAILKEEP_HTTP__MAX_WAITERS": "1000"}
    url = mariadb.create_database()
    with ExitStack() as stack:
        if request.param == "with redis":
            settings["MAILKEEP_HINTS__URL"] = required(stack, running_redis()).url
        yield stack.enter_context(installed_pair(tmp_path, database_url=url, settings=settings))
    mariadb.drop_database(url)


@pytest.mark.timeout(400)
async def test_each_client_sees_each_message_once_and_in_order(
    pair: Pair, *, full_size: bool, report_measured: Callable[[str], None]
) -> None:
    clients, messages = (200, 2_000) if full_size else (20, 200)
    customer = pair[0].create_customer("alice@customer.test")
    for host in pair:
        host.start()
        wait_for_recipient(host, customer.address)
    started = time.monotonic()
    statuses: Counter[int] = Counter()
    async with AsyncExitStack() as stack:
        sessions = [await _session(stack, host, customer, statuses) for host in pair]
        followers: list[Follower] = list(islice(cycle((by_list, by_wait, by_events)), clients))
        async with asyncio.TaskGroup() as group:
            seen = [
                group.create_task(follow(sessions[number % 2], customer.address, messages))
                for number, follow in enumerate(followers)
            ]
            await asyncio.sleep(1)
            await _send(pair, customer.address, messages)
            sent_s = time.monotonic() - started - 1
    for task in seen:
        assert task.result() == list(range(1, messages + 1))
    seen_s = time.monotonic() - started - 1
    away = f"{statuses[503]} of {statuses.total()} requests turned away for now"
    report_measured(f"{clients} clients, {messages} messages in {sent_s:.1f} s, seen after {seen_s:.1f} s; {away}")


async def _session(
    stack: AsyncExitStack, host: Mailkeep, customer: Customer, statuses: Counter[int]
) -> aiohttp.ClientSession:
    """Requests as the customer; `statuses` counts their answers."""

    async def count(_: object, __: object, ended: aiohttp.TraceRequestEndParams) -> None:
        statuses[ended.response.status] += 1

    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(count)
    client = await stack.enter_async_context(logged_in(host.url, customer))
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=120)
    session = aiohttp.ClientSession(
        host.url, headers=client.headers, connector=connector, timeout=timeout, trace_configs=[trace]
    )
    return await stack.enter_async_context(session)


async def _send(pair: Pair, address: str, messages: int) -> None:
    numbers = iter(range(messages))

    async def send(port: int) -> None:
        async with lmtp_client(port) as lmtp:
            for number in numbers:
                [reply] = await lmtp.deliver([address], b"Subject: Number %d\r\n\r\nHello.\r\n" % number)
                assert reply.startswith("250 "), reply

    await asyncio.gather(*(send(host.lmtp_port) for host in pair for _ in range(SENDERS)))
