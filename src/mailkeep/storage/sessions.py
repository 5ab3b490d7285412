"""sessions: a row a log-in; without it, or with it revoked, its JWT is worth nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.domain.account import AccountStatus, Role, SessionInfo, User
from mailkeep.errors import NotAuthenticated
from mailkeep.storage.schema import accounts, sessions, users

MAX_CLIENT_IP: Final = 64
MAX_USER_AGENT: Final = 255


@dataclass(frozen=True, slots=True)
class InForce:
    """Whose a session is, and in which role."""

    account_id: str
    role: Role
    last_seen_at: datetime | None


async def add(connection: AsyncConnection, user: User, session: SessionInfo) -> None:
    """Raises NotAuthenticated when the user is gone."""
    values = {
        "id": session.id,
        "account_id": user.account_id,
        "user_id": user.id,
        "created_at": session.created_at,
        "expires_at": session.expires_at,
        "last_seen_at": session.last_seen_at,
        "client_ip": session.client_ip[:MAX_CLIENT_IP],
        "user_agent": session.user_agent[:MAX_USER_AGENT],
    }
    try:
        await connection.execute(insert(sessions).values(values))
    except IntegrityError as error:
        raise NotAuthenticated("the account is gone") from error


async def in_force(connection: AsyncConnection, session_id: str, user_id: str, *, now: datetime) -> InForce | None:
    """None when the session is over or the account is not active."""
    query = (
        select(sessions.c.account_id, users.c.role, sessions.c.last_seen_at)
        .join(users, users.c.id == sessions.c.user_id)
        .join(accounts, accounts.c.id == sessions.c.account_id)
        .where(
            sessions.c.id == session_id,
            sessions.c.user_id == user_id,
            sessions.c.revoked_at.is_(None),
            sessions.c.expires_at > now,
            accounts.c.status == AccountStatus.ACTIVE,
        )
    )
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else InForce(row.account_id, Role(row.role), row.last_seen_at)


async def page(
    connection: AsyncConnection, account_id: str, user_id: str, *, limit: int, before: str | None, now: datetime
) -> list[SessionInfo]:
    """The sessions of a user that are in force, newest first. Ids grow with time, so the id is the cursor."""
    columns = [sessions.c[name] for name in SessionInfo.__dataclass_fields__]
    query = (
        select(*columns)
        .where(
            sessions.c.account_id == account_id,
            sessions.c.user_id == user_id,
            sessions.c.revoked_at.is_(None),
            sessions.c.expires_at > now,
        )
        .order_by(sessions.c.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(sessions.c.id < before)
    return [SessionInfo(*row) for row in await connection.execute(query)]


async def revoke(
    connection: AsyncConnection,
    account_id: str,
    user_id: str,
    *,
    now: datetime,
    only: str | None = None,
    but: str | None = None,
) -> int:
    """End the sessions of a user: all in force, one, or all but one. Returns how many it were."""
    condition = [
        sessions.c.account_id == account_id,
        sessions.c.user_id == user_id,
        sessions.c.revoked_at.is_(None),
        sessions.c.expires_at > now,
    ]
    if only is not None:
        condition.append(sessions.c.id == only)
    if but is not None:
        condition.append(sessions.c.id != but)
    return (await connection.execute(update(sessions).where(*condition).values(revoked_at=now))).rowcount


async def set_last_seen(connection: AsyncConnection, seen: Mapping[str, datetime]) -> None:
    """By id alone: what is written is no customer's input, and the ids come from sessions that were recognised."""
    for session_id, at in sorted(seen.items()):
        await connection.execute(update(sessions).where(sessions.c.id == session_id).values(last_seen_at=at))
