"""Twenty senders of 25 MB at once: memory has a ceiling, and others are still served."""

from __future__ import annotations

import asyncio
import base64
import random
import time
from collections.abc import Callable

import pytest

from bench.measure import peak_rss_mib
from services.api import ApiClient
from services.lmtp import LmtpClient, lmtp_client
from services.mailkeep import Customer, Mailkeep

SENDERS = 20
RSS_LIMIT_MIB = 600
# Wide, because the senders have the same cores; the measured value stands at the end of the run.
ANSWER_LIMIT_S = 5


def _mail(number: int) -> bytes:
    """25 MB on the wire: base64 of bytes that do not compress, a different mail for each number."""
    rng = random.Random(number)  # noqa: S311 - bytes to be sent, no secret
    attachment = base64.encodebytes(rng.randbytes(18_400_000)).replace(b"\n", b"\r\n")
    return (
        b"Subject: large %d\r\nMIME-Version: 1.0\r\nContent-Type: application/zip\r\n"
        b'Content-Disposition: attachment; filename="large.zip"\r\nContent-Transfer-Encoding: base64\r\n\r\n' % number
    ) + attachment


@pytest.mark.timeout(600)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_twenty_large_mails_at_once_stay_within_memory_and_let_others_through(
    running: Mailkeep, customer: Customer, inbox: ApiClient, report_measured: Callable[[str], None]
) -> None:
    body = await asyncio.to_thread(_mail, 1)
    assert len(body) > 25_000_000

    async with lmtp_client(running.lmtp_port) as bystander:
        probe = asyncio.create_task(_longest_answer(bystander))
        started = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(SENDERS):
                group.create_task(_send(running, customer.address, b"X-Number: %d\r\n" % number + body))
        seconds = time.perf_counter() - started
        probe.cancel()
        longest_s = await probe

    rss_mib = peak_rss_mib(running.mxd.pid)
    report_measured(f"{SENDERS} x 25 MB in {seconds:.1f} s, peak {rss_mib:.0f} MiB, longest answer {longest_s:.3f} s")
    assert rss_mib < RSS_LIMIT_MIB
    assert longest_s < ANSWER_LIMIT_S
    assert len(await inbox.messages()) == SENDERS


async def _send(running: Mailkeep, recipient: str, content: bytes) -> None:
    async with lmtp_client(running.lmtp_port) as lmtp:
        [reply] = await lmtp.deliver([recipient], content)
        assert reply.startswith("250 "), reply


async def _longest_answer(lmtp: LmtpClient) -> float:
    """How long NOOP took at worst, in seconds, asked all the time until cancelled."""
    longest_s = 0.0
    try:
        while True:
            asked = time.perf_counter()
            assert (await lmtp.command("NOOP")).startswith("250")
            longest_s = max(longest_s, time.perf_counter() - asked)
            await asyncio.sleep(0.02)
    except asyncio.CancelledError:
        return longest_s
