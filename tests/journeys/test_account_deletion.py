"""An account is deleted while mail for it comes in, and the API is killed while it is being emptied."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import create_async_engine

from journeys.stored import look
from mailkeep.storage.database import parse_url
from mailkeep.storage.schema import account_deletions, contents
from services.api import ApiClient
from services.lmtp import LmtpClient, lmtp_client
from services.mailkeep import PASSWORD, Customer, Mailkeep

AT_ONCE = 4


def mail(number: int) -> bytes:
    return b"Subject: %d\r\nContent-Disposition: attachment; filename=a.bin\r\n\r\nbody\r\n" % number


@pytest.mark.timeout(180)
async def test_killed_while_it_is_emptied(
    running: Mailkeep, customer: Customer, inbox: ApiClient, database_url: str, *, full_size: bool
) -> None:
    count = 5_000 if full_size else 800
    numbers = iter(range(count))

    async def deliver_all() -> None:
        async with lmtp_client(running.lmtp_port) as lmtp:
            for number in numbers:
                [reply] = await lmtp.deliver([customer.address], mail(number))
                assert reply.startswith("250"), reply

    await asyncio.gather(*(deliver_all() for _ in range(AT_ONCE)))
    async with lmtp_client(running.lmtp_port) as lmtp:
        await lmtp.envelope([customer.address])
        receipt = await inbox.call("DELETE", "/api/v1/account", json={"password": PASSWORD})
        assert receipt["deleted"]["messages"] == count
        [late] = await lmtp.data(mail(count), recipients=1)
        assert late.startswith("451 "), late  # the next try is refused for good
        await _refused_within_a_second(lmtp, customer.address)

    while (left := await _count(database_url)) == count:  # noqa: ASYNC110  another process is at work
        await asyncio.sleep(0.002)
    running.api.kill()
    assert 0 < left < count, "it was over before it was killed: more mail is needed"
    running.start_api()
    while await _count(database_url):  # noqa: ASYNC110  another process is at work
        await asyncio.sleep(0.05)

    bob = running.create_customer("bob@customer.test")
    assert "1 users" in running.output("account", "delete", bob.account_id, "--yes")
    assert "messages removed: 0; accounts finished: 0" in running.output("account", "purge")
    stored = await look(database_url, running.data_dir / "blobs")
    assert (stored.messages, stored.contents, stored.half) == (0, 0, ())
    assert [path for path in (running.data_dir / "blobs").rglob("*") if path.is_file()] == []
    assert await _count(database_url, account_deletions) == 2  # to be looked at once more
    assert "the audit log is whole" in running.output("audit", "verify")


async def _refused_within_a_second(lmtp: LmtpClient, address: str) -> None:
    async with asyncio.timeout(1):
        while not (await lmtp.envelope([address]))[0].startswith("550 5.1.1"):
            await lmtp.command("RSET")
            await asyncio.sleep(0.02)


async def _count(database_url: str, table: object = contents) -> int:
    engine = create_async_engine(parse_url(database_url))
    try:
        async with engine.connect() as connection:
            query = select(func.count()).select_from(table)  # type: ignore[arg-type]
            return int((await connection.execute(query)).scalar_one())
    finally:
        await engine.dispose()
