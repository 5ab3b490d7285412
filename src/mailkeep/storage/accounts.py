"""accounts: the customers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.domain.account import Account, AccountStatus
from mailkeep.errors import NotFound
from mailkeep.storage.schema import accounts


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the storing of mail needs of an account, read under its row lock."""

    id: str
    tier: str
    message_seq: int
    storage_bytes: int


async def add(connection: AsyncConnection, account: Account) -> None:
    await connection.execute(
        insert(accounts).values(
            id=account.id,
            tier=account.tier,
            status=account.status,
            message_seq=0,
            storage_bytes=account.storage_bytes,
            created_at=account.created_at,
        )
    )


async def get(connection: AsyncConnection, account_id: str) -> Account:
    """Raises NotFound."""
    row = (await connection.execute(select(accounts).where(accounts.c.id == account_id))).one_or_none()
    if row is None:
        raise NotFound(f"no account {account_id}")
    return _account(row)


async def all_ids(connection: AsyncConnection) -> list[str]:
    """In order."""
    return list((await connection.execute(select(accounts.c.id).order_by(accounts.c.id))).scalars())


async def lock(connection: AsyncConnection, account_ids: Collection[str]) -> dict[str, Ledger]:
    """Lock accounts until the transaction ends, in the order of their ids so that two transactions cannot deadlock.

    An account that is gone is missing from the answer.
    """
    columns = accounts.c.id, accounts.c.tier, accounts.c.message_seq, accounts.c.storage_bytes
    query = select(*columns).where(accounts.c.id.in_(account_ids)).order_by(accounts.c.id).with_for_update()
    return {row.id: Ledger(*row) for row in await connection.execute(query)}


async def save(connection: AsyncConnection, ledger: Ledger) -> None:
    """Write a locked account's ledger back."""
    await connection.execute(
        update(accounts)
        .where(accounts.c.id == ledger.id)
        .values(message_seq=ledger.message_seq, storage_bytes=ledger.storage_bytes)
    )


def _account(row: Row[tuple[object, ...]]) -> Account:
    return Account(
        id=row.id,
        tier=row.tier,
        status=AccountStatus(row.status),
        storage_bytes=row.storage_bytes,
        created_at=row.created_at,
    )
