"""sessions: a row a log-in; without it, or with it revoked, its JWT is worth nothing."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.domain.account import AccountStatus, Role, User
from mailkeep.errors import NotAuthenticated
from mailkeep.storage.schema import accounts, sessions, users


async def add(
    connection: AsyncConnection, session_id: str, user: User, *, created_at: datetime, expires_at: datetime
) -> None:
    """Raises NotAuthenticated when the user is gone."""
    values = {
        "id": session_id,
        "account_id": user.account_id,
        "user_id": user.id,
        "created_at": created_at,
        "expires_at": expires_at,
    }
    try:
        await connection.execute(insert(sessions).values(values))
    except IntegrityError as error:
        raise NotAuthenticated("the account is gone") from error


async def role_of(
    connection: AsyncConnection, session_id: str, user_id: str, *, now: datetime
) -> tuple[str, Role] | None:
    """The account and the role behind a session in force; None when it is over or the account is not active."""
    query = (
        select(sessions.c.account_id, users.c.role)
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
    return None if row is None else (row.account_id, Role(row.role))


async def revoke(connection: AsyncConnection, account_id: str, session_id: str, *, now: datetime) -> None:
    condition = sessions.c.account_id == account_id, sessions.c.id == session_id, sessions.c.revoked_at.is_(None)
    await connection.execute(update(sessions).where(*condition).values(revoked_at=now))
