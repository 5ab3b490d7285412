"""api_tokens: what programs authenticate with; the secret itself is never stored.

An `account_id` of None stands for the tokens of our own services.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.domain.account import AccountStatus, ApiToken
from mailkeep.domain.scope import Scope
from mailkeep.errors import NotFound
from mailkeep.storage.schema import accounts, api_tokens

_KNOWN: Final = frozenset(scope.value for scope in Scope)  # a later version may have given others


@dataclass(frozen=True, slots=True)
class SecretHash:
    """SHA-256 of salt and secret, in hex."""

    salt: str
    digest: str


async def add(connection: AsyncConnection, token: ApiToken, secret: SecretHash) -> None:
    await connection.execute(
        insert(api_tokens).values(
            id=token.id,
            account_id=token.account_id,
            name=token.name,
            salt=secret.salt,
            secret_hash=secret.digest,
            scopes=sorted(token.scopes),
            created_at=token.created_at,
            expires_at=token.expires_at,
        )
    )


async def in_force(
    connection: AsyncConnection, token_id: str, *, now: datetime
) -> tuple[ApiToken, SecretHash, SecretHash | None] | None:
    """A token that is neither revoked nor expired, of an active account or of none, with what it must hash to.

    That is the second, too, where it has been rotated and what it was before is good still.
    """
    query = (
        select(api_tokens)
        .outerjoin(accounts, accounts.c.id == api_tokens.c.account_id)
        .where(
            api_tokens.c.id == token_id,
            api_tokens.c.revoked_at.is_(None),
            api_tokens.c.expires_at.is_(None) | (api_tokens.c.expires_at > now),
            api_tokens.c.account_id.is_(None) | (accounts.c.status == AccountStatus.ACTIVE),
        )
    )
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return None
    overlaps = row.previous_until is not None and row.previous_until > now
    previous = SecretHash(row.previous_salt, row.previous_hash) if overlaps else None
    return _token(row), SecretHash(row.salt, row.secret_hash), previous


async def list_all(connection: AsyncConnection, account_id: str | None) -> list[ApiToken]:
    """Newest first, with those that have expired, without those that were revoked."""
    query = (
        select(api_tokens)
        .where(api_tokens.c.account_id == account_id, api_tokens.c.revoked_at.is_(None))
        .order_by(api_tokens.c.created_at.desc(), api_tokens.c.id)
    )
    return [_token(row) for row in await connection.execute(query)]


async def get(connection: AsyncConnection, account_id: str | None, token_id: str) -> ApiToken:
    """Raises NotFound, also for another account's token and for one that was revoked."""
    row = (await connection.execute(select(api_tokens).where(*_one(account_id, token_id)))).one_or_none()
    if row is None:
        raise NotFound(f"no token {token_id}")
    return _token(row)


async def revoke(connection: AsyncConnection, account_id: str | None, token_id: str, *, now: datetime) -> None:
    """Raises NotFound as `get` does."""
    changed = await connection.execute(update(api_tokens).where(*_one(account_id, token_id)).values(revoked_at=now))
    if not changed.rowcount:
        raise NotFound(f"no token {token_id}")


async def rotate(
    connection: AsyncConnection, account_id: str | None, token_id: str, secret: SecretHash, *, previous_until: datetime
) -> None:
    """Another secret; the one before is good until then. Raises NotFound as `get` does."""
    columns = select(api_tokens.c.salt, api_tokens.c.secret_hash).where(*_one(account_id, token_id)).with_for_update()
    row = (await connection.execute(columns)).one_or_none()
    if row is None:
        raise NotFound(f"no token {token_id}")
    values = {
        "salt": secret.salt,
        "secret_hash": secret.digest,
        "previous_salt": row.salt,
        "previous_hash": row.secret_hash,
        "previous_until": previous_until,
    }
    await connection.execute(update(api_tokens).where(*_one(account_id, token_id)).values(values))


async def set_last_used(connection: AsyncConnection, used: Mapping[str, datetime]) -> None:
    """By id alone: what is written is no customer's input, and the ids come from tokens that were recognised."""
    for token_id, at in sorted(used.items()):
        await connection.execute(update(api_tokens).where(api_tokens.c.id == token_id).values(last_used_at=at))


def _one(account_id: str | None, token_id: str) -> tuple[ColumnElement[bool], ...]:
    return (
        api_tokens.c.account_id == account_id,
        api_tokens.c.id == token_id,
        api_tokens.c.revoked_at.is_(None),
    )


def _token(row: Row[tuple[object, ...]]) -> ApiToken:
    return ApiToken(
        id=row.id,
        account_id=row.account_id,
        name=row.name,
        scopes=frozenset(Scope(scope) for scope in row.scopes if scope in _KNOWN),
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        previous_until=row.previous_until,
    )
