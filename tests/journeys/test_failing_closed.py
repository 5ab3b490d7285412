"""Whatever becomes of the way to the API: mail flows, then nothing is accepted that should not be, then it flows again.

What is known still receives for `recipients.max_age`; after it everybody is told to come again, and nobody is refused
for good. `tests/mxd/test_recipients.py` has the same for each kind of answer, within one process.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from mailkeep_mxd.checkpoint import FILE_NAME
from services.certificates import Authority, Certificate
from services.daemon import ServiceMissing, free_port
from services.gateway import Gateway, gateway
from services.lmtp import lmtp_client
from services.mailkeep import Customer, Mailkeep, installed_mailkeep
from services.required import required, skip_or_fail

MAX_AGE_S = 3
HOST = "localhost"
UNKNOWN = "nobody@mail.test"


@dataclass(frozen=True)
class Site:
    """An installation whose mxd reaches the API by `https://localhost:port`, where a gateway shall listen."""

    mailkeep: Mailkeep
    customer: Customer
    port: int
    certificate: Certificate
    strangers: Certificate

    async def asked(self, recipient: str) -> str:
        """The reply to RCPT."""
        async with lmtp_client(self.mailkeep.lmtp_port) as lmtp:
            [reply] = await lmtp.envelope([recipient])
            return reply[:9]

    async def require_flow(self) -> None:
        """The customer receives, and who is unknown is refused for good; within a few seconds."""
        async with asyncio.timeout(20):
            while (reply := await self.asked(self.customer.address)) != "250 2.1.5":
                assert reply == "451 4.4.3", reply
                await asyncio.sleep(0.2)
            while (reply := await self.asked(UNKNOWN)) != "550 5.1.1":
                assert reply == "451 4.4.3", reply
                await asyncio.sleep(0.2)
        async with lmtp_client(self.mailkeep.lmtp_port) as lmtp:
            [reply] = await lmtp.deliver([self.customer.address], b"Subject: it flows\r\n\r\n")
            assert reply.startswith("250 ")

    async def require_closed(self) -> None:
        """The unknown is never refused for good from now on, the known not accepted after max_age; both 451."""
        known: list[str] = []
        async with asyncio.timeout(MAX_AGE_S + 20):
            while not known or known[-1] != "451 4.4.3":
                assert await self.asked(UNKNOWN) == "451 4.4.3"
                known.append(await self.asked(self.customer.address))
        assert set(known) <= {"250 2.1.5", "451 4.4.3"}
        for recipient in (self.customer.address, UNKNOWN, UNKNOWN, self.customer.address):
            assert await self.asked(recipient) == "451 4.4.3"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("closed")
    port = free_port()
    try:
        authority, stranger = Authority(directory / "ours"), Authority(directory / "theirs")
        certificate, strangers = authority.issue(HOST), stranger.issue(HOST)
    except ServiceMissing as missing:
        skip_or_fail(str(missing))
    settings = {
        "MAILKEEP_RECIPIENTS__API_URL": f"https://{HOST}:{port}",
        "MAILKEEP_RECIPIENTS__MAX_AGE": str(MAX_AGE_S),
        "MAILKEEP_RECIPIENTS__TIMEOUT_S": "1",
        "SSL_CERT_FILE": str(authority.root),
    }
    with ExitStack() as stack:
        installation = required(stack, installed_mailkeep(directory / "site", settings=settings))
        customer = installation.create_customer("alice@customer.test")
        installation.start()
        yield Site(installation, customer, port, certificate, strangers)


@pytest.fixture
async def between(site: Site) -> AsyncIterator[Gateway]:
    """The gateway; mail flows."""
    async with gateway(site.port, site.mailkeep.url, site.certificate) as between:
        await site.require_flow()
        yield between


async def test_the_api_is_down(site: Site, between: Gateway) -> None:
    await between.stop()
    await site.require_closed()
    await between.start(site.certificate)
    await site.require_flow()


@pytest.mark.parametrize("fault", ["slow", "html", "empty"])
async def test_the_api_answers_wrong(site: Site, between: Gateway, fault: str) -> None:
    between.fault = fault
    await asyncio.sleep(MAX_AGE_S / 2)  # a question that was asked before may still be answered
    await site.require_closed()
    between.fault = ""
    await site.require_flow()


async def test_a_certificate_of_another_authority(site: Site, between: Gateway) -> None:
    await between.start(site.strangers)
    await site.require_closed()
    assert '"reason": "tls"' in site.mailkeep.mxd.log()
    await between.start(site.certificate)
    await site.require_flow()


@pytest.mark.usefixtures("between")
async def test_the_token_is_revoked(site: Site) -> None:
    database = site.mailkeep.data_dir / "mailkeep.db"
    execute(database, "UPDATE api_tokens SET revoked_at = '2026-01-01 00:00:00.000000'")
    await asyncio.sleep(MAX_AGE_S / 2)
    await site.require_closed()
    assert '"reason": "not_authorised"' in site.mailkeep.mxd.log()
    execute(database, "UPDATE api_tokens SET revoked_at = NULL")
    await site.require_flow()


async def test_a_damaged_snapshot_and_no_api(site: Site, between: Gateway) -> None:
    assert await asyncio.to_thread(site.mailkeep.mxd.stop) == 0
    snapshot = site.mailkeep.data_dir / FILE_NAME
    content = bytearray(snapshot.read_bytes())
    content[len(content) // 2] ^= 1
    snapshot.write_bytes(content)
    await between.stop()
    await asyncio.to_thread(site.mailkeep.start_mxd)
    assert "recipients.snapshot_ignored" in site.mailkeep.mxd.log()
    await site.require_closed()
    await between.start(site.certificate)
    await site.require_flow()


def execute(database: Path, sql: str) -> None:
    with closing(sqlite3.connect(database, timeout=10)) as connection, connection:
        connection.execute(sql)
