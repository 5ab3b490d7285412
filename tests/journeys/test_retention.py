"""`mailkeep retention run` is killed again and again; what is there in the end is what an undisturbed run leaves."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import func, select, update

from mailkeep.bootstrap import Core
from mailkeep.domain.audit import AuditQuery
from mailkeep.domain.clock import utc_now
from mailkeep.domain.message import Transport
from mailkeep.domain.scope import Actor, Scope
from mailkeep.services.ingest import AcceptedRecipient, Incoming
from mailkeep.storage.schema import (
    attachments,
    blob_deletions,
    contents,
    messages,
    retention_tallies,
    search_entries,
)
from services.mailkeep import Customer, Mailkeep
from services.retention_forks import retention_forks

POLICY: Final = Actor(scopes=frozenset({Scope.POLICY}))
DEATHS: Final = 10
AT_ONCE: Final = 10


@dataclass(frozen=True, slots=True)
class State:
    """What is left: ids by table, each blob with the digest of its bytes, and the bytes each account is charged for."""

    rows: Mapping[str, frozenset[str]]
    blobs: Mapping[str, str]
    charged: Mapping[str, int]


def mail(number: int) -> bytes:
    return (
        f"Subject: number {number}\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhello {number}\r\n"
        f"--b\r\nContent-Type: application/pdf; name=a.pdf\r\n\r\nbytes of {number}\r\n--b--\r\n"
    ).encode()


async def fill(core: Core, count: int) -> None:
    """Mail for every address there is; every third is for all of them."""
    everybody = (await core.recipients.changes(POLICY, 0)).recipients

    async def deliver(number: int) -> None:
        to = everybody if number % 3 == 0 else everybody[number % len(everybody) :][:1]
        recipients = tuple(AcceptedRecipient(each.address, None, each) for each in to)
        async with core.ingest.begin(Incoming("s@elsewhere.test", recipients, Transport())) as delivery:
            await delivery.feed(mail(number))
            assert set(await delivery.finish()) == {None}

    for start in range(0, count, 50):
        await asyncio.gather(*(deliver(number) for number in range(start, min(start + 50, count))))


async def expire_half(core: Core) -> dict[str, int]:
    """Every second message of each account; says how many of each expired."""
    async with core.database.write() as connection:
        long_ago = utc_now() - timedelta(seconds=1)
        condition = messages.c.seq % 2 == 0
        await connection.execute(update(messages).where(condition).values(expires_at=long_ago))
        query = select(messages.c.account_id, func.count()).where(condition).group_by(messages.c.account_id)
        return {account_id: count for account_id, count in await connection.execute(query)}  # noqa: C416  rows to a dict


async def look(core: Core) -> State:
    tables = messages, contents, attachments
    async with core.database.read() as connection:
        rows = {each.name: frozenset((await connection.execute(select(each.c.id))).scalars()) for each in tables}
        entries = await connection.execute(select(search_entries.c.account_id, search_entries.c.seq))
        rows["search_entries"] = frozenset(f"{account_id} {seq}" for account_id, seq in entries)
        for table, column in (
            (blob_deletions, blob_deletions.c.blob_key),
            (retention_tallies, retention_tallies.c.account_id),
        ):
            rows[table.name] = frozenset((await connection.execute(select(column))).scalars())
    charged = dict[str, int]()
    async for _, drifted in core.recount.recount(mend=False):
        charged |= {each.account_id: each.charged_bytes - each.stored_bytes for each in drifted}
    return State(rows, digests(core.settings.blob_dir), charged)


def digests(root: Path) -> dict[str, str]:
    files = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
    return {key: hashlib.sha256(path.read_bytes()).hexdigest() for key, path in files.items()}


async def expected(core: Core) -> State:
    """What is to be left, worked out from what there is without any of the code that removes it."""
    before = await look(core)
    async with core.database.read() as connection:
        kept = (await connection.execute(select(messages).where(messages.c.seq % 2 == 1))).all()
        wanted = {row.content_id for row in kept}
        sources = select(contents.c.source_key).where(contents.c.id.in_(wanted))
        files = (await connection.execute(select(attachments).where(attachments.c.content_id.in_(wanted)))).all()
        keys = {*(await connection.execute(sources)).scalars(), *(row.blob_key for row in files)}
    rows = {
        "messages": frozenset(row.id for row in kept),
        "contents": frozenset(wanted),
        "attachments": frozenset(row.id for row in files),
        "search_entries": frozenset(f"{row.account_id} {row.seq}" for row in kept),
        "blob_deletions": frozenset[str](),
        "retention_tallies": frozenset[str](),
    }
    return State(rows, {key: digest for key, digest in before.blobs.items() if key in keys}, {})


@pytest.mark.timeout(600)
def test_killed_ten_times_it_ends_in_the_same_state(mailkeep: Mailkeep, tmp_path: Path, *, full_size: bool) -> None:
    customers = [mailkeep.create_customer(f"c{number}@customer.test") for number in range(3)]
    mailkeep.run_in_core(lambda core: fill(core, 6_000 if full_size else 300))
    expired = mailkeep.run_in_core(expire_half)
    goal = mailkeep.run_in_core(expected)
    environment = {
        **mailkeep.environment,
        "MAILKEEP_RETENTION__MESSAGES_AT_ONCE": str(AT_ONCE),
        "MAILKEEP_RETENTION__PAUSE_MS": "0",
    }
    seed = random.randrange(2**32)  # noqa: S311  chance that can be had again
    rng = random.Random(seed)  # noqa: S311  chance that can be had again
    with retention_forks(environment, tmp_path / "retention.log") as forks:
        at_work = sum(forks.run_and_kill(rng.uniform(0, 0.12)) for _ in range(DEATHS))
    print(f"seed {seed}: killed at work {at_work} times of {DEATHS}")  # noqa: T201
    said = mailkeep.output("retention", "run")
    assert said.startswith("messages removed: "), said
    assert mailkeep.run_in_core(look) == goal, f"seed {seed}"
    for customer in customers:
        assert receipts(mailkeep, customer) == expired[customer.account_id], f"seed {seed}"
    assert "rows whose bytes are gone: 0" in mailkeep.output("blobs", "check")
    assert "wrong: 0" in mailkeep.output("usage", "recount", "--check")
    assert "the audit log is whole" in mailkeep.output("audit", "verify")


def receipts(mailkeep: Mailkeep, customer: Customer) -> int:
    """How many messages they speak of together."""

    async def read(core: Core) -> int:
        actor = Actor(scopes=frozenset({Scope.AUDIT_READ}), account_id=customer.account_id)
        page, _ = await core.audit.list(actor, AuditQuery(action="message.expire", limit=200))
        return sum(int(record.detail.split()[0].removeprefix("messages=")) for record in page)

    return mailkeep.run_in_core(read)
