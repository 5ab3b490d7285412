"""What an operator asks after a break-in: what gives access, and whom it concerns. Over all accounts, or of one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Table, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.domain.ids import lowest_id
from mailkeep.domain.incident import Affected, Traces
from mailkeep.storage.audit_log import APART
from mailkeep.storage.schema import api_tokens, audit_log, audit_places, sessions

AT_ONCE: Final = 500


async def revoke_sessions(connection: AsyncConnection, account_id: str | None, *, now: datetime) -> dict[str, int]:
    """Account → how many of its sessions were in force until now."""
    conditions = [sessions.c.revoked_at.is_(None), sessions.c.expires_at > now]
    return await _revoke(connection, sessions, conditions, account_id, now=now)


async def revoke_tokens(connection: AsyncConnection, account_id: str | None, *, now: datetime) -> dict[str, int]:
    """Account → how many of its tokens were in force until now; the tokens of services stay."""
    conditions = [
        api_tokens.c.account_id.is_not(None),
        api_tokens.c.revoked_at.is_(None),
        api_tokens.c.expires_at.is_(None) | (api_tokens.c.expires_at > now),
    ]
    return await _revoke(connection, api_tokens, conditions, account_id, now=now)


async def affected(connection: AsyncConnection, traces: Traces) -> list[Affected]:
    """The accounts that the audit log has such records of, with the first and the last of them, in order."""
    columns = audit_log.c
    count, first, last = func.count(), func.min(columns.at), func.max(columns.at)
    query = (
        select(columns.account_id, count.label("records"), first.label("first_at"), last.label("last_at"))
        .where(columns.account_id.is_not(None), columns.at >= traces.since, columns.at < traces.until)
        .where(columns.id >= lowest_id(traces.since - APART), columns.id < lowest_id(traces.until + APART))
        .group_by(columns.account_id)
        .order_by(columns.account_id)
    )
    if traces.client_ip is not None:
        query = query.join(audit_places, audit_places.c.audit_id == columns.id)
        query = query.where(audit_places.c.client_ip == traces.client_ip)
    if traces.action is not None:
        query = query.where(columns.action == traces.action)
    if traces.actor_id is not None:
        query = query.where(columns.actor_id == traces.actor_id)
    return [Affected(row.account_id, row.records, row.first_at, row.last_at) for row in await connection.execute(query)]


async def _revoke(
    connection: AsyncConnection, table: Table, conditions: Sequence[Any], account_id: str | None, *, now: datetime
) -> dict[str, int]:
    wanted = [*conditions, table.c.account_id == account_id] if account_id is not None else conditions
    # What is counted is what is revoked: no other transaction opens one in between.
    query = select(table.c.id, table.c.account_id).where(*wanted).with_for_update()
    rows = (await connection.execute(query)).all()
    for at in range(0, len(rows), AT_ONCE):
        ids = [row.id for row in rows[at : at + AT_ONCE]]
        await connection.execute(update(table).where(table.c.id.in_(ids)).values(revoked_at=now))
    return Counter(row.account_id for row in rows)
