"""A million recipients: how long mxd takes to learn them over HTTP, what they weigh, and how fast RCPT is decided."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from uuid import UUID

from bench.measure import peak_rss_mib, reset_peak_rss, rss_mib
from mailkeep.domain.recipient import RecipientChanges
from mailkeep.domain.refusal import Refusal
from mailkeep_mxd import snapshot
from mailkeep_mxd.checkpoint import FILE_NAME
from mailkeep_mxd.follower import FeedFollower
from mailkeep_mxd.rates import Rates
from mailkeep_mxd.recipients import RecipientDirectory
from mailkeep_mxd.refusals import Origin, RefusalLog
from mailkeep_mxd.replies import Reply
from services.daemon import wait_until
from services.mailkeep import DOMAIN, Mailkeep, installed_mailkeep

PER_ACCOUNT = 50
DECISIONS = 300_000
CREATED = "2026-11-24 09:30:00.000000"


def measure_recipients(count: int) -> Iterator[str]:
    """Lines of a report. Runs the real API and the real mxd, on SQLite."""
    with (
        tempfile.TemporaryDirectory(prefix="mailkeep-bench-") as directory,
        installed_mailkeep(Path(directory)) as installation,
    ):
        yield from _measure(installation, count)


def _measure(installation: Mailkeep, count: int) -> Iterator[str]:
    installation.start()
    _wait_synced(installation, 1)
    empty_mib = rss_mib(installation.mxd.pid)
    installation.mxd.stop()

    _insert(installation.data_dir / "mailkeep.db", count)
    (installation.data_dir / FILE_NAME).unlink()
    started = time.perf_counter()
    installation.start_mxd()
    _wait_synced(installation, 2)
    yield f"full sync over HTTP, mxd's start included: {time.perf_counter() - started:.1f} s"
    pid = installation.mxd.pid
    yield f"the table in mxd: {rss_mib(pid) - empty_mib:.0f} MiB (peak {peak_rss_mib(pid) - empty_mib:.0f} MiB)"
    started = time.perf_counter()
    installation.mxd.stop()
    yield f"stop, with the snapshot saved: {time.perf_counter() - started:.1f} s"
    started = time.perf_counter()
    installation.start_mxd()
    yield f"start from the snapshot: {time.perf_counter() - started:.1f} s"
    installation.mxd.stop()
    yield from asyncio.run(_decisions(installation.data_dir / FILE_NAME))


def _wait_synced(installation: Mailkeep, times: int) -> None:
    wait_until(lambda: installation.mxd.log().count('"recipients.synced"') >= times, what="no full sync", timeout_s=600)


def _insert(database: Path, count: int) -> None:
    """Rows as the API makes them, written past it."""
    with closing(sqlite3.connect(database)) as connection, connection:
        accounts = [_id(number) for number in range(count // PER_ACCOUNT)]
        connection.executemany(
            "INSERT INTO accounts (id, tier, status, message_seq, storage_bytes, created_at)"
            " VALUES (?, 'free', 'active', 0, 0, ?)",
            ((account, CREATED) for account in accounts),
        )
        rows = (
            (_id(2**40 + number), accounts[number // PER_ACCOUNT], address(number), CREATED, CREATED, number + 1)
            for number in range(count)
        )
        while page := list(itertools.islice(rows, 50_000)):
            connection.executemany(
                "INSERT INTO addresses (id, account_id, address, label, status, created_at, changed_at, change_seq)"
                " VALUES (?, ?, ?, '', 'active', ?, ?, ?)",
                page,
            )
        connection.execute("UPDATE counters SET value = ? WHERE name = 'recipients'", (count,))


async def _decisions(path: Path) -> Sequence[str]:
    """RCPT by RCPT in this process, over the table that mxd saved; the addresses come in no order."""
    head, rows = snapshot.load(path)
    follower = FeedFollower(_Silent(), max_age_s=3600)
    follower.table.load(rows)
    follower.resume(cursor=head.cursor, age_s=0)
    before_mib = rss_mib(os.getpid())
    reset_peak_rss(os.getpid())
    snapshot.save(path, head, follower.table.rows())
    saving_mib = peak_rss_mib(os.getpid()) - before_mib
    directory = RecipientDirectory(follower, Rates(), RefusalLog(_Nowhere()))
    rng = random.Random(5321)  # noqa: S311 - which addresses, no secret
    asked = [address(rng.randrange(head.rows)) for _ in range(DECISIONS)]
    origin = Origin(mail_from="", client_ip="", client_name="")
    started = time.perf_counter()
    for wanted in asked:
        decision = await directory.accept(wanted, as_given=wanted, origin=origin)
        assert not isinstance(decision, Reply), decision
        directory.release((decision,))
    rate = DECISIONS / (time.perf_counter() - started)
    return f"saving it takes {saving_mib:.0f} MiB more", f"RCPT decisions in one process: {rate:,.0f}/s"


class _Silent:
    """A feed that is never asked: every address is in the table."""

    is_remote = True

    async def changes(self, after: int, *, wait_s: float) -> RecipientChanges:
        raise AssertionError((after, wait_s))


class _Nowhere:
    """Where refusals go that nobody makes."""

    async def record(self, batch: Sequence[Refusal]) -> None:
        raise AssertionError(batch)


def address(number: int) -> str:
    """About as long as people choose them."""
    return f"project-{number:08d}.sign-up@{DOMAIN}"


def _id(number: int) -> str:
    return str(UUID(int=0x01936000_0000_7000_8000_000000000000 + number * 0x9E3779B9))
