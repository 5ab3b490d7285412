"""How long hostile messages take to be taken in, and how long they keep the event loop from others."""

from __future__ import annotations

import asyncio
import gc
import os
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvloop

from bench.measure import peak_rss_mib, reset_peak_rss
from core.hostile_mail import HEAD, SHAPES
from mailkeep.bootstrap import Core, open_core
from mailkeep.config import Settings
from mailkeep.domain.message import Transport
from mailkeep.domain.recipient import Recipient
from mailkeep.services.ingest import AcceptedRecipient, Incoming
from mailkeep.storage.upgrade import upgrade_schema

# What mxd hands over at a time.
CHUNK: Final = 64 * 1024
TICK_S: Final = 0.001


class Stalls:
    """The longest time that the event loop did not come round, in seconds."""

    def __init__(self) -> None:
        self.longest_s = 0.0

    async def watch(self) -> None:
        before = time.perf_counter()
        while True:
            await asyncio.sleep(TICK_S)
            now = time.perf_counter()
            self.longest_s = max(self.longest_s, now - before - TICK_S)
            before = now


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one message: from its first byte to stored and visible, CPU, longest stall of the loop, growth of memory."""

    seconds: float
    cpu_s: float
    stall_s: float
    growth_mib: float


def measure_hostile_mail(size: int) -> Iterator[tuple[str, Cost]]:
    """Shape and cost."""
    with tempfile.TemporaryDirectory(prefix="mailkeep-bench-") as directory:
        for name, shape in SHAPES.items():
            content = HEAD + shape(size)
            yield name, uvloop.run(_measure(Path(directory), content))


async def _measure(directory: Path, content: bytes) -> Cost:
    async with _core(directory) as (core, recipient):
        gc.collect()
        gc.freeze()  # as the daemons do
        stalls = Stalls()
        watch = asyncio.create_task(stalls.watch())
        await asyncio.sleep(0.05)
        reset_peak_rss(os.getpid())
        rss_before = peak_rss_mib(os.getpid())
        stalls.longest_s = 0.0
        started, cpu_before = time.perf_counter(), time.process_time()
        incoming = Incoming(
            "sender@elsewhere.test", (AcceptedRecipient(recipient.address, None, recipient),), Transport()
        )
        async with core.ingest.begin(incoming) as delivery:
            for start in range(0, len(content), CHUNK):
                await delivery.feed(content[start : start + CHUNK])
            outcomes = await delivery.finish()
        took_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu_before
        watch.cancel()
    if outcomes != [None]:
        raise AssertionError(f"not stored: {outcomes}")
    return Cost(took_s, cpu_s, stalls.longest_s, peak_rss_mib(os.getpid()) - rss_before)


@asynccontextmanager
async def _core(directory: Path) -> AsyncIterator[tuple[Core, Recipient]]:
    settings = Settings.model_validate({"data_dir": directory})
    await upgrade_schema(settings)
    async with open_core(settings) as core:
        made = await core.accounts.register(f"{time.time_ns()}@customer.test", "correct horse battery staple")
        yield (
            core,
            Recipient(
                address=made.address.address,
                address_id=made.address.id,
                account_id=made.address.account_id,
                active=True,
                per_hour=1_000,
                over_quota=False,
            ),
        )
