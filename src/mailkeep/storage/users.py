"""users: the people who can log in."""

from __future__ import annotations

from sqlalchemy import Row, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.domain.account import Role, User
from mailkeep.errors import Conflict, NotFound
from mailkeep.storage.schema import users


async def add(connection: AsyncConnection, user: User, *, password_hash: str) -> None:
    """Raises Conflict when the e-mail address is taken."""
    values = {
        "id": user.id,
        "account_id": user.account_id,
        "email": user.email,
        "password_hash": password_hash,
        "role": user.role,
        "created_at": user.created_at,
    }
    try:
        await connection.execute(insert(users).values(values))
    except IntegrityError as error:
        raise Conflict("this e-mail address has an account already") from error


async def get(connection: AsyncConnection, account_id: str, user_id: str) -> User:
    """Raises NotFound, also for another account's user."""
    query = select(users).where(users.c.account_id == account_id, users.c.id == user_id)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise NotFound(f"no user {user_id}")
    return _user(row)


async def by_email(connection: AsyncConnection, email: str) -> tuple[User, str] | None:
    """The user and the password hash, for log-in: the one question asked before it is known who asks."""
    row = (await connection.execute(select(users).where(users.c.email == email))).one_or_none()
    return None if row is None else (_user(row), row.password_hash)


async def set_password_hash(connection: AsyncConnection, user: User, password_hash: str) -> None:
    condition = users.c.account_id == user.account_id, users.c.id == user.id
    await connection.execute(update(users).where(*condition).values(password_hash=password_hash))


def _user(row: Row[tuple[object, ...]]) -> User:
    return User(id=row.id, account_id=row.account_id, email=row.email, role=Role(row.role), created_at=row.created_at)
