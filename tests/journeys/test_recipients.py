"""Which recipients are accepted while addresses come and the API goes."""

from __future__ import annotations

import asyncio
import itertools
import smtplib
from collections.abc import Callable

import pytest

from services.api import ApiClient
from services.lmtp import LmtpClient, lmtp_client
from services.mailkeep import Customer, Mailkeep, wait_for_recipient
from services.postfix import Postfix

MAX_AGE_S = 4


@pytest.fixture
def mailkeep_settings() -> dict[str, str]:
    return {"MAILKEEP_RECIPIENTS__MAX_AGE": str(MAX_AGE_S)}


async def test_an_unknown_recipient_is_refused_for_good(running: Mailkeep) -> None:
    async with lmtp_client(running.lmtp_port) as lmtp:
        [reply] = await lmtp.envelope(["nobody@mail.test"])
    assert reply.startswith("550 5.1.1 ")


async def test_without_the_api_known_recipients_receive_until_the_table_is_too_old(
    running: Mailkeep, customer: Customer, inbox: ApiClient, start_postfix: Callable[..., Postfix]
) -> None:
    postfix = start_postfix(running)
    assert running.api.stop() == 0

    async with lmtp_client(running.lmtp_port) as lmtp:
        assert await lmtp.deliver([customer.address], b"Subject: within max_age\r\n\r\n") != []
        await lmtp.command("RSET")
        [unknown] = await lmtp.envelope(["nobody@mail.test"])
        assert unknown.startswith("451 4.4.3 ")  # it may have been created just now: nobody can say
        await lmtp.command("RSET")
        refused = await _first_refusal(lmtp, customer.address)
    assert refused.startswith("451 4.4.3 ")

    _send(postfix, customer.address, b"Subject: while the API is down\r\n\r\nkept by Postfix\r\n")
    await asyncio.sleep(1.5)  # Postfix has tried, and tries again every second or two
    assert len(postfix.queue()) == 1
    assert {delivery.status for delivery in postfix.deliveries()} == {"deferred"}

    running.start_api()
    postfix.wait_empty(timeout_s=30)
    found = await inbox.messages()
    assert [message["subject"] for message in found] == ["while the API is down", "within max_age"]
    assert (await inbox.source(found[0]["id"])).endswith(b"\r\n\r\nkept by Postfix\r\n")


async def test_mxd_that_starts_without_the_api_refuses_for_now_and_recovers(
    mailkeep: Mailkeep, customer: Customer
) -> None:
    mailkeep.start_mxd()
    async with lmtp_client(mailkeep.lmtp_port) as lmtp:
        for recipient in (customer.address, "nobody@mail.test"):
            [reply] = await lmtp.envelope([recipient])
            assert reply.startswith("451 4.4.3 ")
            await lmtp.command("RSET")
    mailkeep.start_api()
    wait_for_recipient(mailkeep, customer.address)


@pytest.mark.timeout(600)
async def test_mail_sent_the_moment_an_address_exists_is_accepted(
    running: Mailkeep, inbox: ApiClient, *, full_size: bool
) -> None:
    rounds = 1_000 if full_size else 150
    numbers = itertools.count(1)

    async def create_and_send() -> None:
        async with lmtp_client(running.lmtp_port) as lmtp:
            while (number := next(numbers)) <= rounds:
                created = await inbox.create_address(local_part=f"new-{number}")
                replies = await lmtp.deliver([created["address"]], b"Subject: %d\r\n\r\n" % number)
                assert replies[0].startswith("250 "), replies

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(create_and_send())

    found = await inbox.messages()
    assert sorted(int(message["subject"]) for message in found) == list(range(1, rounds + 1))


async def _first_refusal(lmtp: LmtpClient, recipient: str) -> str:
    """The first reply to RCPT that is not 250; it must come soon after MAX_AGE_S."""
    async with asyncio.timeout(MAX_AGE_S + 5):
        while True:
            [reply] = await lmtp.envelope([recipient])
            if not reply.startswith("250"):
                return reply
            await lmtp.command("RSET")
            await asyncio.sleep(0.2)


def _send(postfix: Postfix, recipient: str, content: bytes) -> None:
    with smtplib.SMTP("127.0.0.1", postfix.port, local_hostname="client.test") as client:
        client.sendmail("sender@client.test", [recipient], content)
