"""audit_log and audit_places: what was done. Rows are added and read; nothing here changes one.

The places alone are removed, with the account that they speak of: see storage/account_rows.py.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.domain.audit import ActorKind, AuditQuery, AuditRecord, Place
from mailkeep.domain.audit_signing import SignedRecord
from mailkeep.domain.ids import lowest_id
from mailkeep.storage import accounts
from mailkeep.storage.schema import audit_log, audit_places

# An id is made a moment before or after its record's time is taken.
APART: Final = timedelta(minutes=1)
EARLIEST: Final = datetime.min.replace(tzinfo=UTC) + APART
LATEST: Final = datetime.max.replace(tzinfo=UTC) - APART


async def add_all(connection: AsyncConnection, batch: Sequence[SignedRecord]) -> None:
    """The place of a record is left out when its account is deleted: nobody would come to erase it."""
    await connection.execute(insert(audit_log), [_values(signed) for signed in batch])
    account_ids = {signed.record.account_id for signed in batch if signed.record.account_id is not None}
    deleted = await accounts.deleted_among(connection, account_ids) if account_ids else frozenset()
    places = [_place_values(signed) for signed in batch if signed.record.account_id not in deleted]
    if places:
        await connection.execute(insert(audit_places), places)


async def known(connection: AsyncConnection, ids: Collection[str]) -> set[str]:
    """Which of these records are there."""
    return set((await connection.execute(select(audit_log.c.id).where(audit_log.c.id.in_(ids)))).scalars())


async def page(connection: AsyncConnection, account_id: str, query: AuditQuery) -> list[AuditRecord]:
    """An account's records, newest first. Ids grow with time, so the id is the cursor."""
    statement = _records().where(audit_log.c.account_id == account_id, *_conditions(query))
    statement = statement.order_by(audit_log.c.id.desc()).limit(query.limit)
    return [_signed(row).record for row in await connection.execute(statement)]


async def platform_page(connection: AsyncConnection, query: AuditQuery) -> list[AuditRecord]:
    """Everybody's records, newest first: the operator's question, the one that names no account."""
    statement = _records().where(*_conditions(query)).order_by(audit_log.c.id.desc()).limit(query.limit)
    return [_signed(row).record for row in await connection.execute(statement)]


async def of_ids(connection: AsyncConnection, ids: Collection[str]) -> dict[str, SignedRecord]:
    """As they are stored, to be checked."""
    rows = await connection.execute(_records().where(audit_log.c.id.in_(ids)))
    return {row.id: _signed(row) for row in rows}


async def codes_after(connection: AsyncConnection, after: str, *, limit: int) -> list[tuple[str, str]]:
    """Id and code of the records after an id, in the order of the ids."""
    columns = audit_log.c.id, audit_log.c.mac
    query = select(*columns).where(audit_log.c.id > after).order_by(audit_log.c.id).limit(limit)
    return [(row.id, row.mac) for row in await connection.execute(query)]


async def of_action(connection: AsyncConnection, account_id: str, action: str) -> list[SignedRecord]:
    """All records of one deed, as they are stored, to be checked."""
    query = _records().where(audit_log.c.account_id == account_id, audit_log.c.action == action)
    return [_signed(row) for row in await connection.execute(query)]


def _records() -> Any:
    columns = audit_places.c.salt, audit_places.c.client_ip, audit_places.c.user_agent
    return select(audit_log, *columns).outerjoin(audit_places, audit_places.c.audit_id == audit_log.c.id)


def _conditions(query: AuditQuery) -> list[Any]:
    columns = audit_log.c
    same = (
        (columns.action, query.action),
        (columns.actor_id, query.actor_id),
        (columns.outcome, query.outcome),
        (columns.resource, query.resource),
    )
    conditions = [column == value for column, value in same if value is not None]
    # Ids grow with time, and are what the index is ordered by.
    if query.since is not None:
        conditions += [columns.at >= query.since, columns.id >= lowest_id(max(query.since, EARLIEST) - APART)]
    if query.until is not None:
        conditions += [columns.at < query.until, columns.id < lowest_id(min(query.until, LATEST) + APART)]
    if query.before is not None:
        conditions.append(columns.id < query.before)
    return conditions


def _values(signed: SignedRecord) -> dict[str, Any]:
    record = signed.record
    return {
        "id": record.id,
        "account_id": record.account_id,
        "at": record.at,
        "actor_kind": record.actor_kind,
        "actor_id": record.actor_id,
        "action": record.action,
        "resource": record.resource,
        "detail": record.detail,
        "outcome": record.outcome,
        "request_id": record.request_id,
        "place_sha256": signed.place_sha256,
        "mac": signed.mac,
    }


def _place_values(signed: SignedRecord) -> dict[str, Any]:
    place = signed.record.place or Place("", "")
    return {
        "audit_id": signed.record.id,
        "account_id": signed.record.account_id,
        "salt": signed.salt,
        "client_ip": place.client_ip,
        "user_agent": place.user_agent,
    }


def _signed(row: Row[tuple[object, ...]]) -> SignedRecord:
    record = AuditRecord(
        id=row.id,
        at=row.at,
        account_id=row.account_id,
        actor_kind=ActorKind(row.actor_kind),
        actor_id=row.actor_id,
        action=row.action,
        resource=row.resource,
        detail=row.detail,
        outcome=row.outcome,
        request_id=row.request_id,
        place=None,
    )
    if row.salt is not None:
        record = replace(record, place=Place(row.client_ip, row.user_agent))
    return SignedRecord(record, salt=row.salt or "", place_sha256=row.place_sha256, mac=row.mac)
