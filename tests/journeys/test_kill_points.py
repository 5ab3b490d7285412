"""kill -9 where something is half done: what was acknowledged is stored, the rest comes, nothing twice.

With `test_kill.py`, whose moments are random, the full size is 1,000 kills.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import signal
from base64 import encodebytes
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from journeys.stored import look
from services.api import ApiClient, logged_in
from services.daemon import accepts_connections, wait_until
from services.dying_mxd import POINTS, MxdForks, mxd_forks
from services.lmtp import lmtp_client
from services.mailkeep import Customer, Mailkeep, installed_mailkeep

FULL_KILLS_PER_POINT = 150
# Large enough to be written to a file while it arrives, and small enough to wait in memory.
BODY_BYTES = (300_000, 10)


@dataclass(frozen=True, slots=True)
class Site:
    """An installation whose mxd is started and killed by the test, and a customer with two addresses."""

    mailkeep: Mailkeep
    customer: Customer
    forks: MxdForks
    numbers: Iterator[int]

    @asynccontextmanager
    async def mxd(self, point: str = "") -> AsyncIterator[int]:
        """The process id of one that listens; it has ended when the block has: at the point, or when told to."""
        process = await asyncio.to_thread(self.forks.start, point)
        listening = "mxd does not listen"
        await asyncio.to_thread(wait_until, lambda: accepts_connections(self.mailkeep.lmtp_port), what=listening)
        yield process
        if not point:
            os.kill(process, signal.SIGTERM)
        assert await asyncio.to_thread(self.forks.ended) == (-signal.SIGKILL if point else 0)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("killed")
    with (
        installed_mailkeep(directory) as installation,
        mxd_forks(installation.environment, directory / "mxd.log") as forks,
    ):
        customer = installation.create_customer("alice@customer.test")
        installation.start_api()
        yield Site(installation, customer, forks, itertools.count(1))


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("point", POINTS)
async def test_attack_063_killed(site: Site, point: str, *, full_size: bool) -> None:
    kills = FULL_KILLS_PER_POINT if full_size else len(BODY_BYTES)
    async with logged_in(site.mailkeep.url, site.customer) as inbox:
        second = (await inbox.create_address(label=point))["address"]
        for size in itertools.islice(itertools.cycle(BODY_BYTES), kills):
            await kill_at(site, inbox, point, [site.customer.address, second], mail(next(site.numbers), size))
    database_url = f"sqlite+aiosqlite:///{site.mailkeep.data_dir / 'mailkeep.db'}"
    assert (await look(database_url, site.mailkeep.data_dir / "blobs")).half == ()


async def kill_at(site: Site, inbox: ApiClient, point: str, recipients: list[str], content: bytes) -> None:
    newest = (await inbox.call("GET", "/api/v1/messages?limit=1"))["items"]
    last_seq = newest[0]["seq"] if newest else 0
    async with site.mxd(point):
        acknowledged = await deliver_to_the_dying(site.mailkeep, recipients, content)
    assert len(acknowledged) == (1 if point == "between two replies" else 0)
    stored = await stored_since(inbox, last_seq, content)
    assert stored >= Counter(acknowledged)
    assert set(stored.values()) <= {1}

    # Postfix keeps the others, and sends to them again.
    async with site.mxd(), lmtp_client(site.mailkeep.lmtp_port) as lmtp:
        replies = await lmtp.deliver([recipient for recipient in recipients if recipient not in acknowledged], content)
        assert all(reply.startswith("250 ") for reply in replies), replies
    assert await stored_since(inbox, last_seq, content) == Counter(recipients)


async def deliver_to_the_dying(mailkeep: Mailkeep, recipients: list[str], content: bytes) -> list[str]:
    """Those recipients whose 250 came before the end."""
    acknowledged: list[str] = []
    try:
        async with lmtp_client(mailkeep.lmtp_port) as lmtp:
            await lmtp.envelope(recipients)
            assert (await lmtp.command("DATA")).startswith("354")
            await lmtp.say_content(content)
            for recipient in recipients:
                assert (await lmtp.reply()).startswith("250 ")
                acknowledged.append(recipient)
    except (ConnectionError, EOFError):
        pass
    return acknowledged


async def stored_since(inbox: ApiClient, seq: int, content: bytes) -> Counter[str]:
    """To whom a mail came since then, and how often; each time whole."""
    new: list[dict[str, Any]] = (await inbox.call("GET", f"/api/v1/messages?after={seq}"))["items"]
    for message in new:
        assert await inbox.source(message["id"]) == content
    return Counter(message["address"] for message in new)


def mail(number: int, size: int) -> bytes:
    """Under a queue id of its own."""
    body = encodebytes(random.Random(number).randbytes(size)).replace(b"\n", b"\r\n")  # noqa: S311 - no secret
    return (
        b"Received: from c.test (c.test [192.0.2.7])\r\n\tby mx.test (Postfix) with ESMTP id 4Xy%06d\r\n"
        b"\tfor <a@mail.test>; Tue, 24 Nov 2026 09:30:00 +0000 (UTC)\r\nSubject: %d\r\n\r\n" % (number, number)
    ) + body
