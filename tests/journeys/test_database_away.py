"""MariaDB stopped, frozen, and read-only, as a sender sees it: come again, in good time, and then all is well."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from services.api import ApiClient
from services.lmtp import lmtp_client
from services.mailkeep import Customer, Mailkeep, wait_for_recipient
from services.mariadb import MariaDb, running_mariadb
from services.required import required

TIMEOUT_S = 2  # database.timeout_s
ANSWERED_S = TIMEOUT_S + 1.5  # also for a mail that ends while the transaction of another hangs
MAIL = b"Subject: kept by whoever sends\r\n\r\nx\r\n"


@pytest.fixture
def server() -> Iterator[MariaDb]:
    """A server of the test's own, which it may stop."""
    with ExitStack() as stack:
        yield required(stack, running_mariadb())


@pytest.fixture
def database_url(server: MariaDb) -> str:
    return server.create_database()


@pytest.fixture
def mailkeep_settings() -> dict[str, str]:
    return {"MAILKEEP_DATABASE__TIMEOUT_S": str(TIMEOUT_S)}


@pytest.fixture
async def flowing(running: Mailkeep, customer: Customer, inbox: ApiClient) -> ApiClient:
    """Mail has come."""
    assert await sent(running, customer) == "250 2.0.0"
    return inbox


async def sent(mailkeep: Mailkeep, customer: Customer) -> str:
    """The code with which a mail to the customer was answered, at RCPT or at its end, and soon."""
    started = time.monotonic()
    async with lmtp_client(mailkeep.lmtp_port) as lmtp:
        [reply] = await lmtp.envelope([customer.address])
        if reply.startswith("250 "):
            [reply] = await lmtp.data(MAIL, recipients=1)
    assert time.monotonic() - started < ANSWERED_S
    return reply[:9]


async def require_recovery(mailkeep: Mailkeep, customer: Customer, inbox: ApiClient, *, before: int) -> None:
    """It flows again by itself, and nothing that was refused has been stored."""
    await asyncio.to_thread(wait_for_recipient, mailkeep, customer.address)
    async with asyncio.timeout(30):
        while (reply := await sent(mailkeep, customer)) != "250 2.0.0":
            assert reply.startswith("45"), reply
            await asyncio.sleep(0.2)
    assert len(await inbox.messages()) == before + 1


async def test_attack_067_stopped(server: MariaDb, running: Mailkeep, customer: Customer, flowing: ApiClient) -> None:
    server.daemon.stop()
    for _ in range(3):
        assert await sent(running, customer) == "451 4.3.0"
    server.start()
    await require_recovery(running, customer, flowing, before=1)


async def test_attack_067_frozen(server: MariaDb, running: Mailkeep, customer: Customer, flowing: ApiClient) -> None:
    os.kill(server.daemon.pid, signal.SIGSTOP)
    try:
        replies = await asyncio.gather(*(sent(running, customer) for _ in range(5)))
    finally:
        os.kill(server.daemon.pid, signal.SIGCONT)
    assert set(replies) <= {"451 4.3.0", "451 4.4.3"}
    await require_recovery(running, customer, flowing, before=1)


async def test_attack_067_read_only(server: MariaDb, running: Mailkeep, customer: Customer, flowing: ApiClient) -> None:
    server.daemon.stop()
    server.daemon.command.append("--innodb-read-only")
    server.start()
    for _ in range(3):
        assert await sent(running, customer) == "451 4.3.0"
    server.daemon.stop()
    server.daemon.command.remove("--innodb-read-only")
    server.start()
    await require_recovery(running, customer, flowing, before=1)
