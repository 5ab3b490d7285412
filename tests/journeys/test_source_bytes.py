"""The stored source is what went over the wire, whatever it holds (attack cases 12, 13, 17, 19, 20)."""

from __future__ import annotations

import hashlib

import pytest

from services.api import ApiClient
from services.lmtp import lmtp_client
from services.mailkeep import Customer, Mailkeep

HEAD = b"From: a@client.test\r\nSubject: bytes\r\n\r\n"
EVERYTHING = (
    b".\r\n..\r\n...\r\n.x\r\n"  # lines of dots
    b"bare CR\rhere\r\r\n.and after\r\n"
    b"bare LF\nhere\n\n.\n.\r\nand LF dot LF\n.\nstill here\r\n"
    b"\r.\r MAIL FROM:<smuggled@client.test>\n.\r\nRCPT TO:<smuggled@mail.test>\r\n"
    b"NUL \x00 and \x00\x00\r\n" + bytes(range(256)) + b"\r\n" + b"y" * 100_000 + b"\r\n" + b"z." * 50_000 + b"\r\n"
)
BODIES = {
    "everything": HEAD + EVERYTHING,
    "dots-across-chunks": HEAD + b"\r\n".join(b"." * length for length in range(700)) + b"\r\n",
    "one-long-line": HEAD + b"." + b"q" * 3_000_000 + b"\r\n",
    "dot-first": b".\r\nno header\r\n",
    "only-a-header": b"Subject: only a header\r\n",
    "blank-line-alone": b"\r\n",
    "cr-before-end": HEAD + b"ends with CR\r\r\n",
    "lf-before-end": HEAD + b"ends with LF\n\r\n",
    "nul-before-end": HEAD + b"\r\n\x00.\r\n",
}


async def test_the_source_equals_the_bytes_sent(running: Mailkeep, customer: Customer, inbox: ApiClient) -> None:
    async with lmtp_client(running.lmtp_port) as lmtp:
        for name, body in BODIES.items():
            [reply] = await lmtp.deliver([customer.address], body)
            assert reply.startswith("250 "), f"{name}: {reply}"

    found = await inbox.messages()
    assert len(found) == len(BODIES)
    for summary, (name, body) in zip(reversed(found), BODIES.items(), strict=True):
        source = await inbox.source(summary["id"])
        assert hashlib.sha256(source).digest() == hashlib.sha256(body).digest(), name
        assert summary["size_bytes"] == len(body), name


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_transaction_without_a_single_byte_is_answered(
    running: Mailkeep, customer: Customer, inbox: ApiClient
) -> None:
    async with lmtp_client(running.lmtp_port) as lmtp:
        [accepted] = await lmtp.envelope([customer.address])
        assert accepted.startswith("250")
        assert (await lmtp.command("DATA")).startswith("354")
        assert (await lmtp.command(".")).startswith("250 ")
        assert (await lmtp.command("NOOP")).startswith("250")
    [summary] = await inbox.messages()
    assert await inbox.source(summary["id"]) == b""
