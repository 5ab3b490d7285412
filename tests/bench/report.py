"""The table that a run ends with."""

from __future__ import annotations

import os
import platform
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from statistics import median
from typing import Final

from bench.load import SENDERS

PACKAGES: Final = ("mailkeep", "aiosmtpd", "uvloop", "sqlalchemy")


@dataclass(frozen=True, slots=True)
class Run:
    """One server, one kind of mail, once."""

    server: str
    sample: str
    message_bytes: int
    messages_per_s: float
    cpu_ms_per_message: float
    peak_rss_mib: float


def render(runs: list[Run], *, yardstick: str) -> str:
    """Markdown: a table of medians with the ratio to the yardstick, and what was measured on what."""
    by_case: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for run in runs:
        by_case[run.sample, run.server].append(run)
    repeats = max(len(case) for case in by_case.values())
    method = (
        f"`make bench`: {SENDERS} LMTP connections held open on loopback; medians of {repeats} runs that took turns. "
        "A message counts when its 250 has come: parsed, on disk, committed. "
        "The yardstick parses nothing and keeps nothing."
    )
    lines = [
        "# Messages a second, end to end",
        "",
        machine(),
        method,
        "",
        "| mail | server | messages/s (lowest to highest) | MB/s | of yardstick | mxd CPU ms/message | peak RSS MiB |",
        "|---|---|---|---|---|---|---|",
    ]
    for (sample, server), case in by_case.items():
        lines.append(_row(case, against=_rate(by_case[sample, yardstick]), sample=sample, server=server))
    return "\n".join(lines) + "\n"


def machine() -> str:
    """What this was measured on, and when."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores shared by sender and servers, "
        f"Python {platform.python_version()}, {versions}."
    )


def _row(case: list[Run], *, against: float, sample: str, server: str) -> str:
    rates = [run.messages_per_s for run in case]
    rate = _rate(case)
    megabytes_per_s = rate * case[0].message_bytes / 1e6
    cpu_ms = median(run.cpu_ms_per_message for run in case)
    rss = max(run.peak_rss_mib for run in case)
    return (
        f"| {sample} | {server} | {_number(rate)} ({_number(min(rates))} to {_number(max(rates))}) "
        f"| {megabytes_per_s:.1f} | {rate / against:.2f} | {cpu_ms:.2f} | {rss:.0f} |"
    )


def _rate(case: list[Run]) -> float:
    return median(run.messages_per_s for run in case)


def _number(rate: float) -> str:
    """Three digits or more, whether there are many messages a second or few."""
    return f"{rate:.2f}" if rate < 10 else f"{rate:.1f}" if rate < 100 else f"{rate:.0f}"
