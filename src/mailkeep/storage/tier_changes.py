"""tier_changes: accounts whose stored messages are being given the time of expiry of a new tier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.storage.schema import messages, tier_changes

_SET_EXPIRY: Final = (
    update(messages)
    .where(messages.c.account_id == bindparam("owner"), messages.c.id == bindparam("message"))
    .values(expires_at=bindparam("until"))
)


@dataclass(frozen=True, slots=True)
class Redating:
    """What is left to do for an account: its messages after the seq `done_seq` and up to `last_seq`."""

    account_id: str
    tier: str
    changed_at: datetime
    done_seq: int
    last_seq: int


@dataclass(frozen=True, slots=True)
class Kept:
    """Until when a message is kept."""

    id: str
    seq: int
    received_at: datetime
    expires_at: datetime


async def put(connection: AsyncConnection, redating: Redating) -> None:
    """Queue an account, whose row the caller has locked; what was left of an earlier change is replaced."""
    await done(connection, redating.account_id)
    values = {
        "account_id": redating.account_id,
        "tier": redating.tier,
        "changed_at": redating.changed_at,
        "done_seq": redating.done_seq,
        "last_seq": redating.last_seq,
    }
    await connection.execute(insert(tier_changes).values(values))


async def pending(connection: AsyncConnection, *, after: str = "", limit: int) -> list[Redating]:
    """In the order of the accounts' ids."""
    query = select(tier_changes).where(tier_changes.c.account_id > after)
    query = query.order_by(tier_changes.c.account_id).limit(limit)
    return [Redating(**row) for row in (await connection.execute(query)).mappings()]


async def is_pending(connection: AsyncConnection, account_id: str) -> bool:
    """Whether some messages of an account, which is locked, may have the time of its last tier still."""
    query = select(tier_changes.c.account_id).where(tier_changes.c.account_id == account_id)
    return (await connection.execute(query)).first() is not None


async def lock(connection: AsyncConnection, account_id: str) -> Redating | None:
    """What is left, locked, so that those who work at it take turns; None when it is done."""
    query = select(tier_changes).where(tier_changes.c.account_id == account_id).with_for_update()
    row = (await connection.execute(query)).mappings().one_or_none()
    return Redating(**row) if row is not None else None


async def advance(connection: AsyncConnection, redating: Redating, *, done_seq: int) -> None:
    condition = tier_changes.c.account_id == redating.account_id
    await connection.execute(update(tier_changes).where(condition).values(done_seq=done_seq))


async def done(connection: AsyncConnection, account_id: str) -> None:
    await connection.execute(delete(tier_changes).where(tier_changes.c.account_id == account_id))


async def kept_next(connection: AsyncConnection, redating: Redating, *, limit: int) -> list[Kept]:
    """The next messages to look at, in the order of their seqs."""
    columns = messages.c.id, messages.c.seq, messages.c.received_at, messages.c.expires_at
    query = select(*columns).where(
        messages.c.account_id == redating.account_id,
        messages.c.seq > redating.done_seq,
        messages.c.seq <= redating.last_seq,
    )
    return [Kept(*row) for row in await connection.execute(query.order_by(messages.c.seq).limit(limit))]


async def set_expiry(connection: AsyncConnection, account_id: str, until: Sequence[tuple[str, datetime]]) -> None:
    """Give messages their time of expiry, each as (id, time); one that is gone meanwhile stays gone."""
    if until:
        rows = [{"owner": account_id, "message": message_id, "until": moment} for message_id, moment in until]
        await connection.execute(_SET_EXPIRY, rows)
