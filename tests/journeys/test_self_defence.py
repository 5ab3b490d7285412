"""Many that mean no good, and one that does: its mail takes no longer, and mxd grows no larger."""

from __future__ import annotations

import asyncio
import itertools
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

import aiohttp
import pytest

from bench.measure import peak_rss_mib, reset_peak_rss, rss_mib
from services.daemon import wait_until
from services.lmtp import lmtp_client
from services.mailkeep import Customer, Mailkeep, installed_mailkeep, wait_for_recipient

PER_CLIENT = 50
LATENCY_S = 1.0  # of the worst of a hundred honest mails, on a machine that does other things too
GROWTH_MIB = 48
CONTENT = b"Subject: honest\r\n\r\n" + b"a line of text, as people write it\r\n" * 100


@dataclass(frozen=True, slots=True)
class Calm:
    """How it is with nobody else there: the seconds within which 99 of 100 mails are answered, and mxd's size."""

    p99_s: float
    rss_mib: float


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailkeep]:
    """One installation for all; what is tested here does not depend on the database's engine."""
    settings = {"MAILKEEP_LMTP__MAX_CONNECTIONS": "2000", "MAILKEEP_LOG__LEVEL": "warning"}
    with installed_mailkeep(tmp_path_factory.mktemp("defended"), settings=settings) as installation:
        yield installation


@pytest.fixture(scope="module")
def customer(running: Mailkeep) -> Customer:
    made = running.create_customer("alice@customer.test")
    running.start()
    wait_for_recipient(running, made.address)
    return made


async def test_attack_029_500_idle_connections(
    running: Mailkeep, customer: Customer, report_measured: Callable[[str], None], *, full_size: bool
) -> None:
    idle = 500 if full_size else 200
    async with AsyncExitStack() as stack:
        before = await measure(running, customer)
        for number in range(idle):
            await stack.enter_async_context(connection(running.lmtp_port, number))
        report_measured(await compare(running, customer, before, f"{idle} idle connections"))


async def test_attack_028_100_clients_that_send_a_byte_a_second(
    running: Mailkeep, customer: Customer, report_measured: Callable[[str], None], *, full_size: bool
) -> None:
    slow = 100 if full_size else 50
    before = await measure(running, customer)
    async with AsyncExitStack() as stack:
        writers = []
        for number in range(slow):
            reader, writer = await stack.enter_async_context(connection(running.lmtp_port, number))
            writer.write(b"LHLO slow.test\r\nMAIL FROM:<>\r\nRCPT TO:<%b>\r\nDATA\r\n" % customer.address.encode())
            while not (await reader.readline()).startswith(b"354"):
                pass
            writers.append(writer)
        dripping = asyncio.create_task(drip(writers))
        report_measured(await compare(running, customer, before, f"{slow} clients that send a byte a second"))
        dripping.cancel()


async def test_attack_029_1000_connections_a_second_opened_and_dropped(
    running: Mailkeep, customer: Customer, report_measured: Callable[[str], None], *, full_size: bool
) -> None:
    a_second, seconds = (1_000, 30) if full_size else (300, 6)
    before = await measure(running, customer)
    flood = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.flood", str(running.lmtp_port), str(a_second), str(seconds)),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[1],
    )
    measured = await compare(running, customer, before, "connections opened and dropped")
    made, _ = await flood.communicate()
    assert int(made) > a_second * seconds / 4
    report_measured(f"{int(made) / seconds:.0f} a second: {measured}")


async def test_attack_009_017_lines_without_an_end_fill_no_memory(
    running: Mailkeep, customer: Customer, report_measured: Callable[[str], None]
) -> None:
    calm = await measure(running, customer)
    reset_peak_rss(running.mxd.pid)
    for number in range(20):
        async with connection(running.lmtp_port, number) as (reader, writer):
            await reader.readline()
            writer.write(b"x" * 5_000_000)
            assert (await reader.readline()).startswith(b"500 5.5.2 ")
            assert (await reader.readline()).startswith(b"421 4.7.0 ")
    as_command = peak_rss_mib(running.mxd.pid) - calm.rss_mib
    async with lmtp_client(running.lmtp_port) as lmtp:
        [reply] = await lmtp.deliver([customer.address], b"x" * 25 * 1024 * 1024)
    assert reply.startswith("250 ")
    as_content = peak_rss_mib(running.mxd.pid) - calm.rss_mib
    assert max(as_command, as_content) < GROWTH_MIB
    report_measured(f"20 x 5 MB as a command: mxd grew by {as_command:.0f} MiB; 25 MB as a line: {as_content:.0f} MiB")


async def test_attack_029_more_connections_than_there_are_places_and_the_pages_still_answer(tmp_path: Path) -> None:
    """Mail and pages in one process, with the limits as they come."""
    places, clients = 500, 550
    with installed_mailkeep(tmp_path) as installation:
        installation.start_serve()
        async with AsyncExitStack() as stack, aiohttp.ClientSession(installation.url) as browser:
            greetings = Counter[bytes]()
            for number in range(clients):
                reader, _ = await stack.enter_async_context(connection(installation.lmtp_port, number))
                greetings[(await reader.readline())[:4]] += 1
            async with asyncio.timeout(10), browser.get("/login") as page:
                assert page.status == 200
        assert greetings == {b"220 ": places, b"421 ": clients - places}
        await asyncio.to_thread(wait_until, lambda: free_places(installation.lmtp_port), what="no place is free again")


def free_places(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        return client.recv(4) == b"220 "


async def measure(mailkeep: Mailkeep, customer: Customer) -> Calm:
    """With nobody else there, after it is warm."""
    await p99_s(mailkeep, customer)
    return Calm(await p99_s(mailkeep, customer), rss_mib(mailkeep.mxd.pid))


async def p99_s(mailkeep: Mailkeep, customer: Customer, *, mails: int = 100) -> float:
    """One mail after the other, 50 a second at most; the seconds within which 99 of 100 were answered."""
    took = []
    async with lmtp_client(mailkeep.lmtp_port) as lmtp:
        for number in range(mails):
            started = time.perf_counter()
            [reply] = await lmtp.deliver([customer.address], b"X-Number: %d\r\n" % number + CONTENT)
            took.append(time.perf_counter() - started)
            assert reply.startswith("250 "), reply
            await asyncio.sleep(max(0.0, 0.02 - took[-1]))
    return quantiles(took, n=100)[98]


async def compare(mailkeep: Mailkeep, customer: Customer, before: Calm, what: str) -> str:
    """Measure again, and require that it is still quick and that mxd has not grown; what to report."""
    pid = mailkeep.mxd.pid
    reset_peak_rss(pid)
    after = await p99_s(mailkeep, customer)
    growth = peak_rss_mib(pid) - before.rss_mib
    assert after < LATENCY_S
    assert growth < GROWTH_MIB
    return (
        f"{what}: p99 {before.p99_s * 1000:.0f} ms alone, {after * 1000:.0f} ms with them; mxd grew by {growth:.0f} MiB"
    )


@asynccontextmanager
async def connection(port: int, number: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """From one of several addresses, none of which has more than its share."""
    client = f"127.0.1.{1 + number // PER_CLIENT}"
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(client, 0))
    try:
        yield reader, writer
    finally:
        writer.close()


async def drip(writers: list[asyncio.StreamWriter]) -> None:
    """A byte a second for each, one after the other."""
    for writer in itertools.cycle(writers):
        writer.write(b"x")
        await asyncio.sleep(1 / len(writers))
