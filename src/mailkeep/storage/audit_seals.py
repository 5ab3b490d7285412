"""audit_seals: the chain over the audit log, a link a record. Links are added, and read; nothing changes one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.storage.schema import audit_seals, counters

COUNTER = "audit_seals"


@dataclass(frozen=True, slots=True)
class Seal:
    """A link: the record that comes at the place `seq`, from 1, and the hash over it and everything before."""

    seq: int
    audit_id: str
    hash: str


async def lock(connection: AsyncConnection) -> None:
    """Keep other sealers out until the transaction ends."""
    await connection.execute(update(counters).where(counters.c.name == COUNTER).values(value=counters.c.value + 1))


async def last(connection: AsyncConnection) -> Seal | None:
    row = (await connection.execute(select(audit_seals).order_by(audit_seals.c.seq.desc()).limit(1))).one_or_none()
    return None if row is None else Seal(row.seq, row.audit_id, row.hash)


async def after(connection: AsyncConnection, seq: int, *, limit: int) -> list[Seal]:
    """In their order."""
    query = select(audit_seals).where(audit_seals.c.seq > seq).order_by(audit_seals.c.seq).limit(limit)
    return [Seal(row.seq, row.audit_id, row.hash) for row in await connection.execute(query)]


async def sealed(connection: AsyncConnection, ids: Collection[str]) -> set[str]:
    """Which of these records a link names."""
    query = select(audit_seals.c.audit_id).where(audit_seals.c.audit_id.in_(ids))
    return set((await connection.execute(query)).scalars())


async def add_all(connection: AsyncConnection, seals: Sequence[Seal]) -> None:
    rows = [{"seq": seal.seq, "audit_id": seal.audit_id, "hash": seal.hash} for seal in seals]
    await connection.execute(insert(audit_seals), rows)
