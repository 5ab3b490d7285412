"""A real Postfix relays to mxd over LMTP, and what was sent is read back over the API."""

from __future__ import annotations

import asyncio
import smtplib
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import create_async_engine

from mailkeep.storage.database import parse_url
from mailkeep.storage.schema import addresses
from services.api import ApiClient
from services.daemon import wait_until
from services.mailkeep import Customer, Mailkeep, wait_for_recipient
from services.postfix import Postfix
from services.required import required_program

MAIL = (
    b"""\
From: Sender <sender@client.test>
To: Alice <alice@customer.test>
Subject: =?utf-8?q?H=C3=A9llo?= from swaks
Date: Tue, 24 Nov 2026 09:30:00 +0000
Message-ID: <journey-1@client.test>
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

Gr\xc3\xbc\xc3\x9fe, and a line of 3,000 characters:
%s
.
..two dots first
""".replace(b"\n", b"\r\n")
    % (b"x" * 3_000)
)


async def test_a_mail_from_swaks_is_read_over_the_api_with_its_bytes_intact(
    running: Mailkeep,
    customer: Customer,
    inbox: ApiClient,
    start_postfix: Callable[..., Postfix],
    tmp_path: Path,
) -> None:
    postfix = start_postfix(running)
    file = tmp_path / "mail.eml"
    file.write_bytes(MAIL.removesuffix(b"\r\n"))  # swaks ends the last line itself

    _run("swaks", f"--server=127.0.0.1:{postfix.port}", "--from=sender@client.test", f"--to={customer.address}",
         "--ehlo=client.test", f"--data=@{file}")  # fmt: skip
    [summary] = await inbox.wait_for_messages(1)

    assert summary["subject"] == "Héllo from swaks"
    assert summary["from"] == {"name": "Sender", "address": "sender@client.test"}
    assert summary["address"] == customer.address
    source = await inbox.source(summary["id"])
    assert source.endswith(MAIL)
    trace = source.removesuffix(MAIL)
    assert trace.startswith(b"Received: from client.test")
    message = await inbox.call("GET", f"/api/v1/messages/{summary['id']}")
    assert message["envelope"] == {"mail_from": "sender@client.test", "rcpt_to": [customer.address]}
    assert "Grüße, and a line" in message["text"]
    assert message["message_id"].strip("<>") == "journey-1@client.test"
    assert message["transport"]["protocol"] == "ESMTP"  # by XFORWARD: what the real client spoke


async def test_every_mail_from_smtp_source_arrives_once(
    running: Mailkeep, customer: Customer, inbox: ApiClient, start_postfix: Callable[..., Postfix]
) -> None:
    postfix = start_postfix(running)

    _run("smtp-source", "-s", "5", "-m", "60", "-l", "8000", "-f", "sender@client.test", "-t", customer.address,
         f"inet:127.0.0.1:{postfix.port}")  # fmt: skip
    postfix.wait_empty()

    found = await inbox.wait_for_messages(60)
    assert sorted(message["seq"] for message in found) == list(range(1, 61))
    assert {delivery.status for delivery in postfix.deliveries()} == {"sent"}
    assert all(message["size_bytes"] >= 8_000 for message in found)


async def test_attack_002_postfix_sends_again_to_whom_it_failed_and_to_nobody_else(
    running: Mailkeep,
    customer: Customer,
    inbox: ApiClient,
    start_postfix: Callable[..., Postfix],
    database_url: str,
) -> None:
    others = [(await inbox.create_address())["address"] for _ in range(2)]
    recipients = [customer.address, *others]
    await asyncio.to_thread(wait_for_recipient, running, others[-1])
    postfix = start_postfix(running)
    engine = create_async_engine(parse_url(database_url))
    try:
        async with engine.begin() as connection:  # mxd still knows it
            failing = addresses.c.address == others[0]
            row = (await connection.execute(select(addresses).where(failing))).mappings().one()
            await connection.execute(delete(addresses).where(failing))
        with smtplib.SMTP("127.0.0.1", postfix.port, local_hostname="client.test") as client:
            client.sendmail("sender@client.test", recipients, b"Subject: three\r\n\r\n")
        wait_until(lambda: len(postfix.deliveries()) >= len(recipients), what="nothing was tried")
        async with engine.begin() as connection:
            await connection.execute(insert(addresses).values(dict(row)))
    finally:
        await engine.dispose()
    postfix.flush()
    postfix.wait_empty()

    assert sorted(message["address"] for message in await inbox.messages()) == sorted(recipients)
    tried = Counter((delivery.recipient, delivery.status) for delivery in postfix.deliveries())
    assert tried.pop((others[0], "deferred")) >= 1
    assert tried == Counter((recipient, "sent") for recipient in recipients)


async def test_postfix_asks_mxd_and_refuses_an_unknown_recipient_itself(
    running: Mailkeep, customer: Customer, inbox: ApiClient, start_postfix: Callable[..., Postfix]
) -> None:
    """So that nobody gets a bounce: Postfix never takes what mxd would refuse."""
    postfix = start_postfix(running, policy=True)

    with smtplib.SMTP("127.0.0.1", postfix.port, local_hostname="client.test") as client:
        refused = client.sendmail(
            "sender@client.test", [customer.address, "nobody@mail.test"], b"Subject: one of two\r\n\r\n"
        )
    assert list(refused) == ["nobody@mail.test"]
    assert refused["nobody@mail.test"][0] in {550, 554}

    [summary] = await inbox.wait_for_messages(1)
    assert summary["subject"] == "one of two"
    postfix.wait_empty()
    assert {delivery.recipient for delivery in postfix.deliveries()} == {customer.address}


def _run(program: str, *arguments: str) -> None:
    done = subprocess.run(
        [required_program(program), *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
