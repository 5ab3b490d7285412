"""`mxd --workers 2`: a supervisor, and processes that die, hang and are replaced while mail arrives."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailkeep.errors import ConfigurationError
from mailkeep_mxd.binding import require_shareable
from services.api import ApiClient
from services.daemon import wait_until
from services.lmtp import lmtp_client
from services.mailkeep import Customer, Mailkeep, installed_mailkeep, wait_for_recipient
from services.processes import children, is_alive

WORKERS = 2
SILENCE_S = 3


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailkeep]:
    """One for all, with the API; what is tested here does not depend on the database's engine."""
    settings = {"MAILKEEP_MXD__WORKERS": str(WORKERS), "MAILKEEP_MXD__SILENCE_S": str(SILENCE_S)}
    with installed_mailkeep(tmp_path_factory.mktemp("workers"), settings=settings) as installation:
        installation.start_api()
        yield installation


@pytest.fixture
def customer(installation: Mailkeep, request: pytest.FixtureRequest) -> Customer:
    """One for each test."""
    return installation.create_customer(f"{request.node.name[:40]}@customer.test")


@pytest.fixture
def running(installation: Mailkeep, customer: Customer) -> Iterator[Mailkeep]:
    """With workers, which know the customer."""
    installation.mxd.log_path.unlink(missing_ok=True)
    installation.start_mxd()
    wait_for_recipient(installation, customer.address)
    yield installation
    assert installation.mxd.stop() in {0, -signal.SIGKILL}


@pytest.fixture
def workers(running: Mailkeep) -> list[int]:
    """The pids of the workers, once all listen."""
    wait_until(lambda: listening(running) >= WORKERS, what="not all workers listen")
    return children(running.mxd)


def listening(mailkeep: Mailkeep) -> int:
    """How often a worker has begun to listen."""
    return mailkeep.mxd.log().count('"mxd.listening"')


async def deliver(mailkeep: Mailkeep, recipient: str, number: int) -> None:
    """One mail, over and over as Postfix does it, until it is answered 250."""
    while True:
        try:
            async with lmtp_client(mailkeep.lmtp_port) as lmtp:
                [reply] = await lmtp.deliver([recipient], b"Subject: %d\r\n\r\n" % number)
        except (OSError, EOFError, AssertionError):
            await asyncio.sleep(0.05)
            continue
        assert reply.startswith("250 "), reply
        return


async def test_both_take_mail_and_a_dead_one_is_replaced(
    running: Mailkeep, workers: list[int], customer: Customer, inbox: ApiClient
) -> None:
    os.kill(workers[0], signal.SIGKILL)
    await asyncio.gather(*(deliver(running, customer.address, number) for number in range(40)))
    wait_until(lambda: listening(running) == WORKERS + 1, what="nobody took its place")
    found = await inbox.wait_for_messages(40)
    assert sorted(int(message["subject"]) for message in found) == list(range(40))
    assert workers[1] in children(running.mxd)
    assert '"code": -9' in running.mxd.log()


async def test_a_worker_that_hangs_is_killed_and_replaced(
    running: Mailkeep, workers: list[int], customer: Customer
) -> None:
    os.kill(workers[1], signal.SIGSTOP)  # to whoever watches, a loop that hangs looks the same
    await asyncio.to_thread(
        wait_until, lambda: listening(running) == WORKERS + 1, what="it was not replaced", timeout_s=30
    )
    assert not is_alive(workers[1])
    assert is_alive(workers[0])
    await asyncio.gather(*(deliver(running, customer.address, number) for number in range(10)))


async def test_a_supervisor_that_was_held_up_kills_nobody(running: Mailkeep, workers: list[int]) -> None:
    running.mxd.send_signal(signal.SIGSTOP)
    await asyncio.sleep(SILENCE_S + 2)
    running.mxd.send_signal(signal.SIGCONT)
    await asyncio.sleep(2)
    assert children(running.mxd) == workers
    assert "worker.silent" not in running.mxd.log()


async def test_sighup_replaces_the_workers_and_loses_nothing(
    running: Mailkeep, workers: list[int], customer: Customer, inbox: ApiClient
) -> None:
    async with lmtp_client(running.lmtp_port) as lmtp:
        assert await lmtp.envelope([customer.address])
        assert (await lmtp.command("DATA")).startswith("354")
        running.mxd.send_signal(signal.SIGHUP)
        wait_until(lambda: '"mxd.stopping"' in running.mxd.log(), what="SIGHUP was not passed on")
        [reply] = await lmtp.content(b"Subject: 1\r\n\r\n", recipients=1)
        assert reply.startswith("250 ")
    await asyncio.to_thread(wait_until, lambda: listening(running) == 2 * WORKERS, what="they were not replaced")
    assert not set(workers) & set(children(running.mxd))
    await deliver(running, customer.address, 2)
    assert len(await inbox.wait_for_messages(2)) == 2


async def test_sigterm_ends_all_and_finishes_what_is_under_way(
    running: Mailkeep, workers: list[int], customer: Customer, inbox: ApiClient
) -> None:
    async with lmtp_client(running.lmtp_port) as first, lmtp_client(running.lmtp_port) as second:
        for lmtp in (first, second):
            await lmtp.envelope([customer.address])
            assert (await lmtp.command("DATA")).startswith("354")
        stopped = asyncio.create_task(asyncio.to_thread(running.mxd.stop))
        await asyncio.sleep(0.5)
        for lmtp in (first, second):
            [reply] = await lmtp.content(b"Subject: last\r\n\r\n", recipients=1)
            assert reply.startswith("250 ")
    assert await stopped == 0
    assert not any(map(is_alive, workers))
    assert len(await inbox.messages()) == 2


def test_without_a_supervisor_the_workers_end(running: Mailkeep, workers: list[int]) -> None:
    os.kill(running.mxd.pid, signal.SIGKILL)
    wait_until(lambda: not any(map(is_alive, workers)), what="they live on")
    running.mxd.kill()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Mailkeep]:
    """Nothing has been run yet."""
    installation = Mailkeep(tmp_path, settings={"MAILKEEP_RECIPIENTS__TOKEN": "mk_unused_unused"})
    yield installation
    installation.kill()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("MAILKEEP_LMTP__LISTEN", "unix:/tmp/lmtp", "unix socket"),
        ("MAILKEEP_DATABASE__URL", "mysql+aiomysql://u:p@127.0.0.1:1/m", "database"),
    ],
)
def test_what_no_worker_can_start_with_is_said_once(fresh: Mailkeep, name: str, value: str, says: str) -> None:
    fresh.environment[name] = value
    done = fresh.command("mxd", "--workers", "3")
    assert done.returncode == 2, done
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert says in done.stderr


@pytest.mark.parametrize(
    ("listen", "says"), [("unix:/tmp/lmtp", "unix socket"), ("127.0.0.1:0", "number"), ("192.0.2.1:8024", "machine")]
)
def test_what_cannot_be_shared(listen: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"lmtp\.listen.*{says}"):
        require_shareable("lmtp.listen", listen)


def test_a_port_in_use_is_not_shared_with_a_stranger() -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(ConfigurationError, match="port in use"):
            require_shareable("lmtp.listen", f"127.0.0.1:{other.getsockname()[1]}")
