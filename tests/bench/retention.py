"""Retention over a full store of which half has expired, while mail goes on arriving."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select, update

from bench.mailboxes import BulkInsert
from mailkeep.bootstrap import Core
from mailkeep.domain.clock import utc_now
from mailkeep.storage.schema import accounts, addresses, attachments, blob_deletions, contents, messages, search_entries
from mailkeep.storage.search_blocks import pack
from services.daemon import ServiceMissing
from services.lmtp import lmtp_client
from services.mailkeep import COMMAND, Customer, Mailkeep, installed_mailkeep, wait_for_recipient
from services.mariadb import running_mariadb

CUSTOMERS: Final = 10
SOURCE: Final = b"x" * 1_500  # what a mail of 4 kB is as zstd
SIZE: Final = 4_000
WITH_FILE: Final = 5  # every fifth has an attachment
RECEIVED: Final = "2026-11-20 09:30:00.000000"
LATER: Final = "2099-01-01 00:00:00.000000"
WARM_UP: Final = 100  # mails before retention begins, to compare with
PAUSE_S: Final = 0.02
ENTRY: Final = pack("subject order text dear customer this is for everyone " * 20)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Milliseconds from the final dot to the reply; what the command printed; its memory."""

    quiet_ms: list[float]
    busy_ms: list[float]
    said: str
    seconds: float
    peak_mib: float


def measure_retention(count: int) -> Iterator[str]:
    """Markdown, a line at a time."""
    yield "| database | removed | s | a second | peak MiB | longest lock ms | mail meanwhile: median, 99 %, longest |"
    yield "|---|---:|---:|---:|---:|---:|---|"
    notes = []
    for engine in ("SQLite", "MariaDB"):
        try:
            line, note = _measure(engine, count)
        except ServiceMissing as missing:
            sys.stderr.write(f"without {engine}: {missing}\n")
            continue
        sys.stderr.write(f"{line}\n{note}\n")
        notes.append(note)
        yield line
    yield ""
    yield from notes


def _measure(engine: str, count: int) -> tuple[str, str]:
    settings = {"MAILKEEP_RETENTION__EVERY_S": "86400"}
    with tempfile.TemporaryDirectory(prefix="mailkeep-bench-") as directory, ExitStack() as stack:
        url = stack.enter_context(running_mariadb()).create_database() if engine == "MariaDB" else ""
        installation = stack.enter_context(installed_mailkeep(Path(directory), database_url=url, settings=settings))
        customers = [installation.create_customer(f"c{number}@customer.test") for number in range(CUSTOMERS)]
        _load(installation, url or f"sqlite:///{installation.data_dir / 'mailkeep.db'}", customers, count)
        installation.start_serve()
        wait_for_recipient(installation, customers[0].address)
        outcome = asyncio.run(_run(installation, customers))
        installation.stop()
        left = installation.run_in_core(_left)
    said = re.search(r"removed: ([\d,]+).*longest lock (\d+) ms", outcome.said)
    assert said is not None, outcome.said
    removed, lock_ms = said.groups()
    number = int(removed.replace(",", ""))
    rate = number / outcome.seconds
    line = f"| {engine} | {number:,} | {outcome.seconds:.0f} | {rate:,.0f} | {outcome.peak_mib:.0f} | {lock_ms} "
    line += f"| {_times(outcome.busy_ms)} ({len(outcome.busy_ms)} mails) |"
    return line, f"- {engine}: mail before it {_times(outcome.quiet_ms)} ms. Afterwards {left}."


def _times(milliseconds: list[float]) -> str:
    ordered = sorted(milliseconds)
    return f"{median(ordered):.1f}, {ordered[int(len(ordered) * 0.99)]:.1f}, {ordered[-1]:.1f}"


async def _run(installation: Mailkeep, customers: list[Customer]) -> Outcome:
    async with lmtp_client(installation.lmtp_port) as lmtp:
        numbers = iter(range(10**9))

        async def latency_ms() -> float:
            number = next(numbers)
            to = customers[number % len(customers)].address
            started = time.perf_counter()
            [reply] = await lmtp.deliver([to], b"Subject: %d\r\n\r\n%s\r\n" % (number, b"word " * 500))
            assert reply.startswith("250"), reply
            elapsed = time.perf_counter() - started
            await asyncio.sleep(PAUSE_S)
            return elapsed * 1000

        quiet = [await latency_ms() for _ in range(WARM_UP)]
        await asyncio.to_thread(installation.run_in_core, _expire_half)
        started = time.perf_counter()
        command = asyncio.create_task(asyncio.to_thread(_command, installation))
        busy = []
        while not command.done():
            busy.append(await latency_ms())
        said, peak_mib = await command
        return Outcome(quiet, busy, said, time.perf_counter() - started, peak_mib)


def _command(installation: Mailkeep) -> tuple[str, float]:
    """What `mailkeep retention run` prints, and its largest resident size in MiB."""
    with subprocess.Popen(
        [COMMAND, "retention", "run"], env=installation.environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, said
    return said, usage.ru_maxrss / 1024


def _load(installation: Mailkeep, url: str, customers: list[Customer], count: int) -> None:
    """Rows and files as those of real messages."""
    owners = installation.run_in_core(_addresses)
    each = count // len(customers)
    places = [
        (owner, seq, number) for number, (owner, seq) in enumerate((o, s) for o in owners for s in range(1, each + 1))
    ]
    with BulkInsert(url) as insert:
        insert("contents", (_content(number) for _, _, number in places))
        insert("attachments", (_attachment(number) for _, _, number in places if number % WITH_FILE == 0))
        insert("messages", (_message(*place) for place in places))
        insert("search_entries", ((owner[0], seq, ENTRY) for owner, seq, _ in places))
    root = installation.data_dir / "blobs"
    for _, _, number in places:
        keys = [_source_key(number)] + ([_file_key(number)] if number % WITH_FILE == 0 else [])
        for key in keys:
            path = root / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(SOURCE)
    installation.run_in_core(_charge)


async def _addresses(core: Core) -> list[tuple[str, str]]:
    """Account and address of each customer."""
    async with core.database.read() as connection:
        query = select(addresses.c.account_id, addresses.c.id)
        return [(row.account_id, row.id) for row in await connection.execute(query)]


async def _charge(core: Core) -> None:
    async with core.database.write() as connection:
        top = select(func.coalesce(func.max(messages.c.seq), 0)).where(messages.c.account_id == accounts.c.id)
        await connection.execute(update(accounts).values(message_seq=top.scalar_subquery()))
    async for _ in core.recount.recount(mend=True):
        pass


async def _expire_half(core: Core) -> None:
    now = utc_now()
    async with core.database.write(timeout_s=3600) as connection:
        old = messages.c.seq % 2 == 0, messages.c.received_at < now - timedelta(days=1)
        await connection.execute(update(messages).where(*old).values(expires_at=now))


async def _left(core: Core) -> str:
    """What there is of each kind; orphans and missing bytes."""
    async with core.database.read() as connection:
        counts = {
            table.name: (await connection.execute(select(func.count()).select_from(table))).scalar_one()
            for table in (messages, contents, attachments, search_entries, blob_deletions)
        }
    found = await core.blob_check.check(mend=False)
    drifted = [drift async for _, page in core.recount.recount(mend=False) for drift in page]
    kinds = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    orphans = found.young + len(found.orphans)
    return f"{kinds}; blobs {found.blobs:,}, orphans {orphans}, missing {len(found.missing)}, drift {len(drifted)}"


def _content(number: int) -> tuple[Any, ...]:
    recipients = '{"from": [], "to": [], "cc": [], "reply_to": []}'
    return _id(3, number), _source_key(number), "0" * 64, SIZE, "", "[]", recipients, "[]"


def _attachment(number: int) -> tuple[Any, ...]:
    kinds = "application/pdf", "application/pdf"
    return _id(5, number), _id(3, number), 1, "a.pdf", *kinds, 1_500, "0" * 64, "attachment", "", _file_key(number)


def _message(owner: tuple[str, str], seq: int, number: int) -> tuple[Any, ...]:
    account_id, address_id = owner
    words = "s@elsewhere.test", "inbox@mail.test", "Example Shop", "orders@shop.test", "Your order", "Dear customer"
    of_it = account_id, address_id, _id(3, number), f"{number:064x}"
    return _id(4, number), seq, *of_it, *words, SIZE, number % WITH_FILE == 0, RECEIVED, LATER, "{}"


def _source_key(number: int) -> str:
    return f"sources/2026/11/{1 + number % 28:02}/{_id(3, number)}.eml.zst"


def _file_key(number: int) -> str:
    return f"attachments/{number % 256:02x}/{number:016x}-{_id(5, number)}-a.pdf"


def _id(kind: int, number: int) -> str:
    return str(UUID(int=0x0193600000007000_8000000000000000 | kind << 56 | number))
