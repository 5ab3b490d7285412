"""api_tokens: what programs authenticate with; the secret itself is never stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.domain.account import AccountStatus, ApiToken
from mailkeep.domain.scope import Scope
from mailkeep.storage.schema import accounts, api_tokens


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


async def in_force(connection: AsyncConnection, token_id: str, *, now: datetime) -> tuple[ApiToken, SecretHash] | None:
    """A token that is neither revoked nor expired, of an active account or of none, with what it must hash to."""
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
    return None if row is None else (_token(row), SecretHash(row.salt, row.secret_hash))


async def set_last_used(connection: AsyncConnection, used: Mapping[str, datetime]) -> None:
    """By id alone: what is written is no customer's input, and the ids come from tokens that were recognised."""
    for token_id, at in sorted(used.items()):
        await connection.execute(update(api_tokens).where(api_tokens.c.id == token_id).values(last_used_at=at))


def _token(row: Row[tuple[object, ...]]) -> ApiToken:
    return ApiToken(
        id=row.id,
        account_id=row.account_id,
        name=row.name,
        scopes=frozenset(Scope(scope) for scope in row.scopes),
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )
