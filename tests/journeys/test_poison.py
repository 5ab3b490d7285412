"""A mail that brings its worker down and comes back is kept unparsed at the third time (attack case 43)."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from services.api import ApiClient
from services.daemon import wait_until
from services.lmtp import dot_stuffed, lmtp_client
from services.mailkeep import Customer, Mailkeep
from services.processes import children, is_alive

WORKERS = 2
RECEIVED = (
    b"Received: from client.test (client.test [192.0.2.7])\r\n"
    b"\tby mx.test (Postfix) with ESMTP id 4XyZ1234\r\n"
    b"\tfor <a@mail.test>; Tue, 24 Nov 2026 09:30:00 +0000 (UTC)\r\n"
)
# Large enough that a part of it is with the parser while the rest is on its way.
POISON = RECEIVED + b"Subject: poison\r\n\r\n" + b"x" * 70 + b"\r\n" + b"y" * 2_000_000 + b"\r\n"
HALF = 1_500_000


@pytest.fixture
def database_url() -> str:
    """What is tested here does not depend on the engine."""
    return ""


@pytest.fixture
def mailkeep_settings() -> dict[str, str]:
    return {"MAILKEEP_MXD__WORKERS": str(WORKERS)}


async def test_attack_043_a_mail_that_kills_its_worker_is_kept_unparsed_at_the_third_time(
    running: Mailkeep, customer: Customer, inbox: ApiClient
) -> None:
    for _ in range(2):
        await die_over(running, customer.address)
        await deliver(running, customer.address, b"Subject: bystander\r\n\r\n")
    await deliver(running, customer.address, POISON)

    by_subject = {message["subject"]: message for message in await inbox.messages()}
    assert len(await inbox.messages()) == 3
    assert set(by_subject) == {"bystander", ""}
    stored = await inbox.call("GET", f"/api/v1/messages/{by_subject['']['id']}")
    assert stored["defects"] == ["parse_skipped"]
    assert await inbox.source(stored["id"]) == POISON

    # It is over: the same queue id, at some later time, is a mail like any other.
    await deliver(running, customer.address, RECEIVED + b"Subject: harmless\r\n\r\n")
    assert (await inbox.messages())[0]["subject"] == "harmless"


async def test_a_client_that_hangs_up_is_no_poison(running: Mailkeep, customer: Customer, inbox: ApiClient) -> None:
    for _ in range(4):
        async with lmtp_client(running.lmtp_port) as lmtp:
            await lmtp.envelope([customer.address])
            assert (await lmtp.command("DATA")).startswith("354")
            await lmtp.say(dot_stuffed(POISON)[:HALF])
    await deliver(running, customer.address, POISON)
    assert [message["subject"] for message in await inbox.messages()] == ["poison"]


async def die_over(mailkeep: Mailkeep, recipient: str) -> None:
    """SIGKILL to the workers while one of them parses the mail; until others have taken their place."""
    before = children(mailkeep.mxd)
    async with lmtp_client(mailkeep.lmtp_port) as lmtp:
        await lmtp.envelope([recipient])
        assert (await lmtp.command("DATA")).startswith("354")
        await lmtp.say(dot_stuffed(POISON)[:HALF])
        await asyncio.sleep(0.3)
        for pid in before:
            os.kill(pid, signal.SIGKILL)
    await asyncio.to_thread(wait_until, lambda: not any(map(is_alive, before)), what="they live")


async def deliver(mailkeep: Mailkeep, recipient: str, content: bytes) -> None:
    """As soon as somebody listens and knows the recipient."""
    async with asyncio.timeout(30):
        while not await delivered(mailkeep, recipient, content):  # noqa: ASYNC110 - the event is in another process
            await asyncio.sleep(0.1)


async def delivered(mailkeep: Mailkeep, recipient: str, content: bytes) -> bool:
    """Whether it could be handed over; then it was answered 250."""
    try:
        async with lmtp_client(mailkeep.lmtp_port) as lmtp:
            [reply] = await lmtp.deliver([recipient], content)
    except (ConnectionError, EOFError):
        return False
    assert reply.startswith("250 "), reply
    return True
