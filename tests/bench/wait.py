"""From the 250 of a mail to the answer of whoever waits for it."""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Final

import aiohttp

from services.api import logged_in
from services.daemon import ServiceMissing
from services.followers import messages_of_stream
from services.lmtp import LmtpClient, lmtp_client
from services.mailkeep import Customer, Mailkeep, installed_mailkeep, wait_for_recipient
from services.mariadb import running_mariadb
from services.redis import running_redis

# Between two mails, in seconds. Without hints the database is looked at once a second from the moment somebody waits:
# mails come at any moment of that second.
PAUSE_S: Final = (0.15, 0.45)
PAUSE_WITHOUT_HINTS_S: Final = (0.5, 1.5)

Answer = Callable[[], Awaitable[float]]


def measure_wait(mails: int) -> Iterator[str]:
    """Markdown, a line at a time."""
    yield "| database | processes | hints | how | median ms | 99 % ms | longest ms |"
    yield "|---|---|---|---|---|---|---|"
    for engine in ("SQLite", "MariaDB"):
        for processes, hints in (("one", "in memory"), ("api and mxd", "none"), ("api and mxd", "Redis")):
            try:
                yield from _measure(mails, engine, processes, hints)
            except ServiceMissing as missing:
                sys.stderr.write(f"without {engine}, {hints}: {missing}\n")


def _measure(mails: int, engine: str, processes: str, hints: str) -> Iterator[str]:
    settings: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="mailkeep-bench-") as directory, ExitStack() as stack:
        url = stack.enter_context(running_mariadb()).create_database() if engine == "MariaDB" else ""
        if hints == "Redis":
            settings["MAILKEEP_HINTS__URL"] = stack.enter_context(running_redis()).url
        installation = stack.enter_context(installed_mailkeep(Path(directory), database_url=url, settings=settings))
        customer = installation.create_customer("bench@customer.test")
        if processes == "one":
            installation.start_serve()
        else:
            installation.start()
        wait_for_recipient(installation, customer.address)
        pause_s = PAUSE_WITHOUT_HINTS_S if hints == "none" else PAUSE_S
        for how, milliseconds in asyncio.run(_latencies(installation, customer, mails, pause_s)).items():
            ordered = sorted(milliseconds)
            p99 = ordered[int(len(ordered) * 0.99)]
            times = f"{median(ordered):.1f} | {p99:.1f} | {ordered[-1]:.1f}"
            yield f"| {engine} | {processes} | {hints} | {how} | {times} |"


async def _latencies(
    installation: Mailkeep, customer: Customer, mails: int, pause_s: tuple[float, float]
) -> dict[str, list[float]]:
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(logged_in(installation.url, customer))
        session = await stack.enter_async_context(aiohttp.ClientSession(installation.url, headers=client.headers))
        lmtp = await stack.enter_async_context(lmtp_client(installation.lmtp_port))
        found = {"`wait=`": await _each(lmtp, customer, mails, pause_s, _Waiting(session).answered)}
        async with _streaming(session, customer, after=mails) as answered:
            found["`/events`"] = await _each(lmtp, customer, mails, pause_s, answered)
        return found


async def _each(
    lmtp: LmtpClient, customer: Customer, mails: int, pause_s: tuple[float, float], answered: Answer
) -> list[float]:
    """Milliseconds, never negative: the answer can be there before the 250 has been read."""
    rng = random.Random(5321)  # noqa: S311 - pauses, no secret
    milliseconds = []
    for number in range(mails):
        answer = asyncio.ensure_future(answered())
        await asyncio.sleep(rng.uniform(*pause_s))
        [reply] = await lmtp.deliver([customer.address], b"Subject: Number %d\r\n\r\nHello.\r\n" % number)
        stored_at = time.perf_counter()
        assert reply.startswith("250 "), reply
        milliseconds.append(max(0.0, (await answer - stored_at) * 1000))
    return milliseconds


class _Waiting:
    """Asks again with the cursor of the last answer."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._cursor = 0

    async def answered(self) -> float:
        params = {"after": str(self._cursor), "wait": "30"}
        async with self._session.get("/api/v1/messages", params=params) as response:
            page = await response.json()
        answered_at = time.perf_counter()
        assert len(page["items"]) == 1, page
        self._cursor = page["cursor"]
        return answered_at


@asynccontextmanager
async def _streaming(session: aiohttp.ClientSession, customer: Customer, *, after: int) -> AsyncIterator[Answer]:
    """One stream for all."""
    messages = messages_of_stream(session, customer.address, after=after)

    async def answered() -> float:
        await anext(messages)
        return time.perf_counter()

    try:
        yield answered
    finally:
        await messages.aclose()
