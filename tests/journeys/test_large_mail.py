"""Twenty senders of 25 MB at once: memory has a ceiling, and others are still served."""

from __future__ import annotations

import asyncio
import base64
import itertools
import random
import smtplib
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Self

import pytest

from bench.measure import peak_rss_mib
from services.api import ApiClient
from services.lmtp import dot_stuffed, lmtp_client
from services.mailkeep import Customer, Mailkeep

SENDERS = 20
PIECE_BYTES = 64 * 1024
RSS_LIMIT_MIB = 600
# Wide, because the senders have the same cores; the measured value stands at the end of the run.
ANSWER_LIMIT_S = 5


def large_mail() -> bytes:
    """25 MB of base64 that does not compress."""
    rng = random.Random(25)  # noqa: S311 - bytes to be sent, no secret
    attachment = base64.encodebytes(rng.randbytes(18_400_000)).replace(b"\n", b"\r\n")
    return (
        b"Subject: large\r\nMIME-Version: 1.0\r\nContent-Type: application/zip\r\n"
        b'Content-Disposition: attachment; filename="large.zip"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    ) + attachment


@pytest.mark.timeout(600)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_twenty_large_mails_at_once_stay_within_memory_and_let_others_through(
    running: Mailkeep, customer: Customer, inbox: ApiClient, report_measured: Callable[[str], None]
) -> None:
    body = dot_stuffed(large_mail())  # once, before the clock runs: it would hold up the senders
    assert len(body) > 25_000_000

    with Bystander(running.lmtp_port) as bystander:
        started = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(SENDERS):
                group.create_task(_send(running, customer.address, number=number, body=body))
        seconds = time.perf_counter() - started

    rss_mib = peak_rss_mib(running.mxd.pid)
    report_measured(
        f"{SENDERS} x 25 MB in {seconds:.1f} s, peak {rss_mib:.0f} MiB, "
        f"another session waited {bystander.longest_s * 1000:.0f} ms at most, {bystander.asked} answers"
    )
    assert rss_mib < RSS_LIMIT_MIB
    assert bystander.longest_s < ANSWER_LIMIT_S
    assert len(await inbox.messages()) == SENDERS


async def _send(running: Mailkeep, recipient: str, *, number: int, body: bytes) -> None:
    """Each mail is another one by its first header."""
    view = memoryview(body)
    pieces = (view[start : start + PIECE_BYTES] for start in range(0, len(body), PIECE_BYTES))
    async with lmtp_client(running.lmtp_port) as lmtp:
        await lmtp.envelope([recipient])
        header = b"X-Number: %d\r\n" % number
        [reply] = await lmtp.stuffed_data(itertools.chain([header], pieces), recipients=1)
        assert reply.startswith("250 "), reply


class Bystander:
    """Another session, which says NOOP all the time; in a thread, so that it does not wait for the senders."""

    def __init__(self, port: int) -> None:
        self.longest_s = 0.0
        self.asked = 0
        self._ended = threading.Event()
        self._threads = ThreadPoolExecutor(1)
        self._port = port

    def __enter__(self) -> Self:
        self._asking = self._threads.submit(self._ask)
        return self

    def __exit__(self, *_exception: object) -> None:
        self._ended.set()
        self._threads.shutdown()
        self._asking.result()

    def _ask(self) -> None:
        with smtplib.LMTP("127.0.0.1", self._port, timeout=60) as client:
            while not self._ended.wait(0.01):
                asked = time.perf_counter()
                code, reply = client.noop()
                assert code == 250, reply
                self.longest_s = max(self.longest_s, time.perf_counter() - asked)
                self.asked += 1
