"""SIGTERM while mail pours in: all that was answered 250 is there, whole, and the end comes in time."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from journeys.injector import Injector
from services.api import ApiClient
from services.lmtp import LmtpClient, lmtp_client
from services.mailkeep import Customer, Mailkeep
from services.postfix import Postfix

SENDERS = 8
STOPS = 3
STOP_S = 30  # systemd's TimeoutStopSec is longer


@dataclass
class Load:
    """What was answered 250, and what the rest of it was told."""

    acknowledged: dict[int, bytes] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    async def pour(self, mailkeep: Mailkeep, recipient: str) -> None:
        """Mail after mail, until nobody listens."""
        try:
            while True:
                async with lmtp_client(mailkeep.lmtp_port) as lmtp:
                    while await self._send(lmtp, recipient):
                        pass
        except (ConnectionError, EOFError):
            return
        except AssertionError as refused:  # at LHLO, MAIL, RCPT or DATA
            self.refused.add(str(refused)[:60])

    async def _send(self, lmtp: LmtpClient, recipient: str) -> bool:
        number = next(self.numbers)
        content = b"Subject: %d\r\n\r\n" % number + b"x" * (number % 50) * 2_000 + b"\r\n"
        [reply] = await lmtp.deliver([recipient], content)
        if reply.startswith("250 "):
            self.acknowledged[number] = content
            return True
        self.refused.add(reply[:60])
        return False


@pytest.fixture
def database_url() -> str:
    """What is tested here does not depend on the engine."""
    return ""


@pytest.fixture
def mailkeep_settings() -> dict[str, str]:
    return {"MAILKEEP_MXD__WORKERS": "2"}


async def test_attack_070_sigterm_under_load_loses_nothing(
    running: Mailkeep, customer: Customer, inbox: ApiClient, report_measured: Callable[[str], None]
) -> None:
    load = Load()
    pouring = [asyncio.create_task(load.pour(running, customer.address)) for _ in range(SENDERS)]
    await asyncio.sleep(2)
    started = time.monotonic()
    assert await asyncio.to_thread(running.mxd.stop, timeout_s=STOP_S) == 0
    took_s = time.monotonic() - started
    await asyncio.gather(*pouring)

    assert all("421 4.3.2" in refused for refused in load.refused), load.refused
    found = {int(message["subject"]): message["id"] for message in await inbox.messages()}
    assert load.acknowledged.keys() <= found.keys()
    for number, content in load.acknowledged.items():
        if number % 20 == 0:
            assert await inbox.source(found[number]) == content
    assert len(load.acknowledged) > SENDERS
    report_measured(f"stopped in {took_s:.1f} s; {len(load.acknowledged)} mails acknowledged, all there")


@pytest.mark.timeout(600)
async def test_attack_070_what_postfix_still_holds_arrives_after_the_restart(
    running: Mailkeep, customer: Customer, inbox: ApiClient, start_postfix: Callable[..., Postfix]
) -> None:
    postfix = start_postfix(running)
    injector = Injector(postfix.port, customer.address)
    with injector.running():
        for _ in range(STOPS):
            await asyncio.sleep(1)
            assert await asyncio.to_thread(running.mxd.stop, timeout_s=STOP_S) == 0
            await asyncio.sleep(0.5)  # mail that comes now waits
            await asyncio.to_thread(running.start_mxd)
    postfix.wait_empty()
    marks = [injector.mark_of(await inbox.source(message["id"])) for message in await inbox.messages()]
    assert sorted(marks) == sorted(injector.marks.values())
    statuses = [delivery.status for delivery in postfix.deliveries()]
    assert set(statuses) == {"sent", "deferred"}
