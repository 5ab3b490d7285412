"""Accounts as an administrator looks for them: all of them, with their owners. No customer's question comes here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.domain.account import AccountStatus, Role
from mailkeep.domain.administration import AccountEntry, AccountFilter, Totals
from mailkeep.errors import NotFound
from mailkeep.storage.schema import accounts, addresses, users


async def page(connection: AsyncConnection, wanted: AccountFilter) -> list[AccountEntry]:
    """Newest first; ids grow with time, so the id is the cursor."""
    query = _entries().order_by(accounts.c.id.desc()).limit(wanted.limit)
    if wanted.email is not None:
        query = query.where(accounts.c.id.in_(select(users.c.account_id).where(users.c.email == wanted.email)))
    if wanted.address is not None:
        named = select(addresses.c.account_id).where(addresses.c.address == wanted.address)
        query = query.where(accounts.c.id.in_(named))
    if wanted.status is not None:
        query = query.where(accounts.c.status == wanted.status)
    if wanted.tier is not None:
        query = query.where(accounts.c.tier == wanted.tier)
    if wanted.before is not None:
        query = query.where(accounts.c.id < wanted.before)
    return [_entry(row) for row in await connection.execute(query)]


async def get(connection: AsyncConnection, account_id: str) -> AccountEntry:
    """Raises NotFound."""
    row = (await connection.execute(_entries().where(accounts.c.id == account_id))).one_or_none()
    if row is None:
        raise NotFound(f"no account {account_id}")
    return _entry(row)


async def set_status(connection: AsyncConnection, account_id: str, status: AccountStatus) -> None:
    await connection.execute(update(accounts).where(accounts.c.id == account_id).values(status=status))


async def owners_of(connection: AsyncConnection, account_ids: Sequence[str]) -> dict[str, str]:
    """Account → the e-mail address of its owner."""
    query = select(users.c.account_id, users.c.email).where(
        users.c.account_id.in_(account_ids), users.c.role == Role.OWNER
    )
    return {row.account_id: row.email for row in await connection.execute(query)}


async def totals(connection: AsyncConnection) -> Totals:
    query = select(
        accounts.c.tier,
        accounts.c.status,
        func.count().label("accounts"),
        func.sum(accounts.c.message_seq).label("received"),
        func.sum(accounts.c.storage_bytes).label("stored"),
    ).group_by(accounts.c.tier, accounts.c.status)
    rows = (await connection.execute(query)).all()
    in_use = select(func.count()).select_from(addresses).where(addresses.c.deleted_at.is_(None))
    return Totals(
        accounts={(row.tier, AccountStatus(row.status)): int(row.accounts) for row in rows},
        addresses=int((await connection.execute(in_use)).scalar_one()),
        messages_received=sum(int(row.received) for row in rows),
        storage_bytes=sum(int(row.stored) for row in rows),
    )


def _entries() -> Any:
    owner = select(users.c.email).where(users.c.account_id == accounts.c.id, users.c.role == Role.OWNER).limit(1)
    used = select(func.count()).where(addresses.c.account_id == accounts.c.id, addresses.c.deleted_at.is_(None))
    return select(accounts, owner.scalar_subquery().label("email"), used.scalar_subquery().label("addresses"))


def _entry(row: Row[tuple[object, ...]]) -> AccountEntry:
    return AccountEntry(
        id=row.id,
        email=row.email or "",
        tier=row.tier,
        status=AccountStatus(row.status),
        storage_bytes=row.storage_bytes,
        messages_received=row.message_seq,
        addresses=int(row.addresses),
        created_at=row.created_at,
    )
