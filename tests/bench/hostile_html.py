"""How long the sanitiser takes over what is made to take long, and how long the event loop stands still meanwhile."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Final

import uvloop

from bench.report import machine
from hostile_sizes import hostile_documents
from mailkeep.domain.message import SafeHtml
from mailkeep.mail.sanitise import sanitise
from mailkeep_web.frame import frame_document

SIZE: Final = 5_000_000
_TICK_S: Final = 0.001


@dataclass(frozen=True, slots=True)
class HostileRun:
    """`stall_s`: the longest time that the loop came too late to a tick. `shown`: characters of what is shown."""

    seconds: float
    cpu_s: float
    stall_s: float
    shown: int


def measure_hostile_html(*, repeat: int) -> str:
    """Markdown: a table of medians and worst stalls."""
    uvloop.run(_measure("<p>x</p>"))  # warm: the thread, the tables of nh3
    rows = {}
    for name, markup in ({"one paragraph": "<p>x</p>"} | hostile_documents(SIZE)).items():
        rows[name] = [uvloop.run(_measure(markup)) for _ in range(repeat)]
        sys.stderr.write(f"{name}: {rows[name]}\n")
    return _render(rows, repeat=repeat)


def _render(rows: Mapping[str, list[HostileRun]], *, repeat: int) -> str:
    lines = [
        "# Hostile HTML",
        "",
        machine(),
        f"`make bench ARGS=--hostile-html`: documents of {SIZE / 1e6:.0f} MB, sanitised in a thread as the product",
        "does it, and made into the document of a frame. Medians, and worst stalls of uvloop with a tick each",
        f"millisecond, of {repeat} runs. What is past the limits of `mailkeep.mail.html_limits` is shown as",
        "text. The first row is a document of one paragraph: how late ticks are without any work of ours.",
        "",
        "| document | ms | CPU ms | longest stall of the loop, ms | shown, thousand characters |",
        "|---|---|---|---|---|",
    ]
    for name, runs in rows.items():
        milliseconds = median(run.seconds for run in runs) * 1000
        cpu_ms = median(run.cpu_s for run in runs) * 1000
        stall = max(run.stall_s for run in runs) * 1000
        lines.append(f"| {name} | {milliseconds:.0f} | {cpu_ms:.0f} | {stall:.0f} | {runs[0].shown / 1000:.0f} |")
    return "\n".join(lines) + "\n"


async def _measure(markup: str) -> HostileRun:
    loop = asyncio.get_running_loop()
    ticker = loop.create_task(_longest_stall())
    await asyncio.sleep(0.02)
    started = time.perf_counter()
    safe, cpu_s = await asyncio.to_thread(_timed, markup)
    frame_document(safe)
    seconds = time.perf_counter() - started
    await asyncio.sleep(max(0.002, 0.5 - seconds))
    ticker.cancel()
    return HostileRun(seconds, cpu_s, await ticker, len(safe.html))


def _timed(markup: str) -> tuple[SafeHtml, float]:
    started = time.thread_time()
    safe = sanitise(markup)
    return safe, time.thread_time() - started


async def _longest_stall() -> float:
    """Seconds, until it is cancelled."""
    longest = 0.0
    try:
        while True:
            due = time.perf_counter() + _TICK_S
            await asyncio.sleep(_TICK_S)
            longest = max(longest, time.perf_counter() - due)
    except asyncio.CancelledError:
        return longest
