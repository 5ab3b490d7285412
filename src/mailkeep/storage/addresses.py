"""addresses: what customers created. A deleted one stays as a tombstone: for the feed, and so that nobody gets it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.domain.address import Address, AddressStatus
from mailkeep.errors import Conflict, NotFound
from mailkeep.storage.schema import addresses


async def add(connection: AsyncConnection, address: Address, *, change_seq: int) -> None:
    """Raises Conflict when the address exists, or has existed."""
    values = {
        "id": address.id,
        "account_id": address.account_id,
        "address": address.address,
        "label": address.label,
        "status": address.status,
        "created_at": address.created_at,
        "changed_at": address.changed_at,
        "change_seq": change_seq,
    }
    try:
        await connection.execute(insert(addresses).values(values))
    except IntegrityError as error:
        raise Conflict("this address is taken") from error


async def get(connection: AsyncConnection, account_id: str, address_id: str) -> Address:
    """Raises NotFound, also for another account's address and for a deleted one."""
    row = (await connection.execute(_of(account_id).where(addresses.c.id == address_id))).one_or_none()
    if row is None:
        raise NotFound(f"no address {address_id}")
    return _address(row)


async def id_of(connection: AsyncConnection, account_id: str, address: str) -> str:
    """The id of an address, given as that or as the canonical address; also of a deleted one, which may have mail.

    Raises NotFound, also for another account's address.
    """
    column = addresses.c.address if "@" in address else addresses.c.id
    query = select(addresses.c.id).where(addresses.c.account_id == account_id, column == address)
    found = (await connection.execute(query)).scalar_one_or_none()
    if found is None:
        raise NotFound("no such address")
    return str(found)


async def page(connection: AsyncConnection, account_id: str, *, limit: int, before: str | None) -> Sequence[Address]:
    """Newest first; ids grow with time, so the id is the cursor."""
    query = _of(account_id).order_by(addresses.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(addresses.c.id < before)
    return [_address(row) for row in await connection.execute(query)]


async def count(connection: AsyncConnection, account_id: str) -> int:
    query = select(func.count()).where(addresses.c.account_id == account_id, addresses.c.deleted_at.is_(None))
    return int((await connection.execute(query)).scalar_one())


async def active_count(connection: AsyncConnection, account_id: str) -> int:
    query = select(func.count()).where(*_active(account_id))
    return int((await connection.execute(query)).scalar_one())


async def active_names(connection: AsyncConnection, account_id: str) -> list[str]:
    """The active addresses, the oldest first."""
    query = select(addresses.c.address).where(*_active(account_id)).order_by(addresses.c.id)
    return list((await connection.execute(query)).scalars())


async def active_beyond(connection: AsyncConnection, account_id: str, limit: int) -> list[str]:
    """The ids of those active addresses that would remain if the `limit` oldest were taken away; ids grow with time."""
    query = select(addresses.c.id).where(*_active(account_id)).order_by(addresses.c.id)
    return list((await connection.execute(query)).scalars())[limit:]


async def deactivate(connection: AsyncConnection, account_id: str, ids: Sequence[str], *, now: datetime) -> None:
    """Make addresses inactive; the caller puts them into the recipients feed."""
    condition = addresses.c.account_id == account_id, addresses.c.id.in_(ids)
    if ids:
        await connection.execute(
            update(addresses).where(*condition).values(status=AddressStatus.INACTIVE, changed_at=now)
        )


async def change(
    connection: AsyncConnection,
    account_id: str,
    address_id: str,
    *,
    change_seq: int,
    changed_at: datetime,
    **values: Any,
) -> None:
    """Set columns of an address and its place in the recipients feed; a tombstone stays what it is."""
    condition = addresses.c.account_id == account_id, addresses.c.id == address_id, addresses.c.deleted_at.is_(None)
    await connection.execute(
        update(addresses).where(*condition).values(change_seq=change_seq, changed_at=changed_at, **values)
    )


async def bury(connection: AsyncConnection, account_id: str, *, first_change: int, now: datetime) -> None:
    """Make tombstones of all addresses of an account, with places in the feed from `first_change` on.

    What its owner wrote of them, the labels, goes; also those of addresses that were deleted before.
    """
    condition = addresses.c.account_id == account_id, addresses.c.deleted_at.is_(None)
    ids = (await connection.execute(select(addresses.c.id).where(*condition))).scalars().all()
    for offset, address_id in enumerate(ids):
        change_seq = first_change + offset
        await change(connection, account_id, address_id, change_seq=change_seq, changed_at=now, deleted_at=now)
    await connection.execute(update(addresses).where(addresses.c.account_id == account_id).values(label=""))


def _active(account_id: str) -> tuple[ColumnElement[bool], ...]:
    is_active = addresses.c.status == AddressStatus.ACTIVE
    return addresses.c.account_id == account_id, addresses.c.deleted_at.is_(None), is_active


def _of(account_id: str) -> Any:
    return select(addresses).where(addresses.c.account_id == account_id, addresses.c.deleted_at.is_(None))


def _address(row: Row[tuple[object, ...]]) -> Address:
    return Address(
        id=row.id,
        account_id=row.account_id,
        address=row.address,
        label=row.label,
        status=AddressStatus(row.status),
        created_at=row.created_at,
        changed_at=row.changed_at,
    )
