"""accounts: the customers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Row, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.domain.account import Account, AccountStatus
from mailkeep.errors import NotFound
from mailkeep.storage.schema import accounts, messages

_EXISTS: Final = accounts.c.status != AccountStatus.DELETED


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


async def message_seq(connection: AsyncConnection, account_id: str) -> int:
    """The seq given to the account's last message, deleted or not; whoever sees it sees all messages up to it."""
    query = select(accounts.c.message_seq).where(accounts.c.id == account_id)
    return int((await connection.execute(query)).scalar_one_or_none() or 0)


async def all_ids(connection: AsyncConnection) -> list[str]:
    """In order, without those that are deleted."""
    query = select(accounts.c.id).where(_EXISTS).order_by(accounts.c.id)
    return list((await connection.execute(query)).scalars())


async def charged_and_stored(connection: AsyncConnection, *, after: str, limit: int) -> list[tuple[str, int, int]]:
    """Id, `storage_bytes`, and the bytes of its messages, of accounts in order; of one moment, without a lock."""
    stored = (
        select(func.coalesce(func.sum(messages.c.size_bytes), 0))
        .where(messages.c.account_id == accounts.c.id)
        .scalar_subquery()
    )
    query = select(accounts.c.id, accounts.c.storage_bytes, stored).where(accounts.c.id > after, _EXISTS)
    rows = await connection.execute(query.order_by(accounts.c.id).limit(limit))
    return [(account_id, charged, int(stored_bytes)) for account_id, charged, stored_bytes in rows]


async def lock(connection: AsyncConnection, account_ids: Collection[str]) -> dict[str, Ledger]:
    """Lock accounts until the transaction ends, in the order of their ids so that two transactions cannot deadlock.

    An account that is gone, or deleted, is missing from the answer.
    """
    columns = accounts.c.id, accounts.c.tier, accounts.c.message_seq, accounts.c.storage_bytes
    query = select(*columns).where(accounts.c.id.in_(account_ids), _EXISTS).order_by(accounts.c.id).with_for_update()
    return {row.id: Ledger(*row) for row in await connection.execute(query)}


async def lock_one(connection: AsyncConnection, account_id: str) -> Ledger:
    """Lock one account until the transaction ends. Raises NotFound when it is gone or deleted."""
    ledger = (await lock(connection, [account_id])).get(account_id)
    if ledger is None:
        raise NotFound("the account is gone")
    return ledger


async def lock_deleted(connection: AsyncConnection, account_id: str) -> None:
    """Lock a deleted account, so that those who empty it take turns."""
    await connection.execute(select(accounts.c.id).where(accounts.c.id == account_id).with_for_update())


async def set_deleted(connection: AsyncConnection, account_id: str) -> None:
    """From now on nothing is added to it and nobody logs in. The caller has it locked."""
    values = {"status": AccountStatus.DELETED, "message_seq": 0, "storage_bytes": 0}
    await connection.execute(update(accounts).where(accounts.c.id == account_id).values(values))


async def set_tier(connection: AsyncConnection, account_id: str, tier: str) -> None:
    """The caller has it locked."""
    await connection.execute(update(accounts).where(accounts.c.id == account_id).values(tier=tier))


async def customer_id(connection: AsyncConnection, account_id: str) -> str | None:
    """Whom Stripe knows an account as, a deleted one too; None for one that never began to pay."""
    query = select(accounts.c.stripe_customer_id).where(accounts.c.id == account_id)
    return (await connection.execute(query)).scalar_one_or_none()


async def set_customer_id(connection: AsyncConnection, account_id: str, customer: str) -> None:
    """The caller has it locked."""
    await connection.execute(update(accounts).where(accounts.c.id == account_id).values(stripe_customer_id=customer))


async def by_customer_id(connection: AsyncConnection, customer: str) -> Account | None:
    """The account of a customer of Stripe's, a deleted one too."""
    row = (await connection.execute(select(accounts).where(accounts.c.stripe_customer_id == customer))).one_or_none()
    return _account(row) if row is not None else None


async def with_customer(connection: AsyncConnection, *, after: str, limit: int) -> list[str]:
    """The ids of accounts that Stripe knows, in order, without those that are deleted."""
    query = select(accounts.c.id).where(accounts.c.stripe_customer_id.is_not(None), _EXISTS, accounts.c.id > after)
    return list((await connection.execute(query.order_by(accounts.c.id).limit(limit))).scalars())


async def deleted_among(connection: AsyncConnection, account_ids: Collection[str]) -> set[str]:
    query = select(accounts.c.id).where(accounts.c.id.in_(account_ids), accounts.c.status == AccountStatus.DELETED)
    return set((await connection.execute(query)).scalars())


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
