"""Fifty clients at once through the shipped Postfix: every message is stored, and stored once."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from journeys.shipped import SENDER, UNLIMITED, House, shipped_postfix
from journeys.stored import look
from services.api import logged_in
from services.mailkeep import Customer, Mailkeep
from services.postfix import Postfix
from services.required import required_program

SESSIONS = 50


@pytest.mark.timeout(900)
async def test_smtp_source_with_50_sessions(
    running: Mailkeep, customer: Customer, database_url: str, report_measured: Callable[[str], None], *, full_size: bool
) -> None:
    count = 5_000 if full_size else 500
    with shipped_postfix(running, "--mode=one-machine", overrides=UNLIMITED) as postfix:
        house = House(mailkeep=running, postfix=postfix, customer=customer)
        house.smtp().quit()  # postscreen has seen this client
        began = time.monotonic()
        _send(postfix, customer.address, count)
        postfix.wait_empty(timeout_s=600)
        took_s = time.monotonic() - began

        async with logged_in(running.url, customer) as client:
            messages = await client.messages()
        assert sorted(message["seq"] for message in messages) == list(range(1, count + 1))
        stored = await look(database_url, Path(running.data_dir) / "blobs")
        assert (stored.messages, stored.contents, stored.half) == (count, count, ())
        assert {delivery.status for delivery in postfix.deliveries()} == {"sent"}
        report_measured(f"{count} messages in {took_s:.1f} s")


def _send(postfix: Postfix, recipient: str, count: int) -> None:
    program, target = required_program("smtp-source"), f"inet:127.0.0.1:{postfix.port}"
    command = [program, "-s", str(SESSIONS), "-m", str(count), "-l", "4000", "-f", SENDER, "-t", recipient, target]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
