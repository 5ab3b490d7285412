"""kill -9 where something is half done: what was acknowledged is stored, the rest comes, nothing twice."""

from __future__ import annotations

import itertools
import random
import signal
import sys
from base64 import encodebytes
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from journeys.stored import look
from services.api import ApiClient, logged_in
from services.daemon import Daemon, accepts_connections, wait_until
from services.dying_mxd import POINTS
from services.lmtp import lmtp_client
from services.mailkeep import Customer, Mailkeep, installed_mailkeep

TESTS = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Site:
    """An installation whose mxd is not running, and a customer with two addresses."""

    mailkeep: Mailkeep
    customer: Customer
    numbers: Iterator[int]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with installed_mailkeep(tmp_path_factory.mktemp("killed")) as installation:
        customer = installation.create_customer("alice@customer.test")
        installation.start_api()
        yield Site(installation, customer, itertools.count(1))


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("point", POINTS)
async def test_attack_063_killed(site: Site, point: str, *, full_size: bool) -> None:
    async with logged_in(site.mailkeep.url, site.customer) as inbox:
        second = (await inbox.create_address(label=point))["address"]
        for _ in range(20 if full_size else 1):
            await kill_at(site, inbox, point, [site.customer.address, second])


async def kill_at(site: Site, inbox: ApiClient, point: str, recipients: list[str]) -> None:
    content = mail(next(site.numbers))
    stored_before = {message["id"] for message in await inbox.messages()}
    dying = Daemon(
        [sys.executable, "-m", "services.dying_mxd", point],
        log_path=site.mailkeep.data_dir.parent / "dying.log",
        environment={**site.mailkeep.environment, "PYTHONPATH": str(TESTS)},
    )
    dying.start()
    try:
        dying.wait_ready(lambda: accepts_connections(site.mailkeep.lmtp_port))
        acknowledged = await deliver_to_the_dying(site.mailkeep, recipients, content)
        wait_until(lambda: not dying.running, what=f"it did not die {point}", timeout_s=5)
        assert dying.stop() == -signal.SIGKILL
    finally:
        dying.kill()
    assert len(acknowledged) == (1 if point == "between two replies" else 0)
    await require_stored(inbox, stored_before, acknowledged, content, at_least=True)

    site.mailkeep.start_mxd()
    async with lmtp_client(site.mailkeep.lmtp_port) as lmtp:
        rest = [recipient for recipient in recipients if recipient not in acknowledged]
        replies = await lmtp.deliver(rest, content)
        assert all(reply.startswith("250 ") for reply in replies), replies
    assert site.mailkeep.mxd.stop() == 0
    await require_stored(inbox, stored_before, recipients, content, at_least=False)
    database_url = f"sqlite+aiosqlite:///{site.mailkeep.data_dir / 'mailkeep.db'}"
    assert (await look(database_url, site.mailkeep.data_dir / "blobs")).half == ()


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


async def require_stored(
    inbox: ApiClient, before: set[str], recipients: list[str], content: bytes, *, at_least: bool
) -> None:
    """What came since is this mail, whole, once for each of the recipients; `at_least`: or for more."""
    new = [message for message in await inbox.messages() if message["id"] not in before]
    for message in new:
        assert await inbox.source(message["id"]) == content
    found, wanted = Counter(message["address"] for message in new), Counter(recipients)
    assert set(found.values()) <= {1}
    assert found >= wanted if at_least else found == wanted


def mail(number: int) -> bytes:
    """Large enough for several chunks, under a queue id of its own."""
    body = encodebytes(random.Random(number).randbytes(300_000)).replace(b"\n", b"\r\n")  # noqa: S311 - no secret
    return (
        b"Received: from c.test (c.test [192.0.2.7])\r\n\tby mx.test (Postfix) with ESMTP id 4Xy%06d\r\n"
        b"\tfor <a@mail.test>; Tue, 24 Nov 2026 09:30:00 +0000 (UTC)\r\nSubject: %d\r\n\r\n" % (number, number)
    ) + body
