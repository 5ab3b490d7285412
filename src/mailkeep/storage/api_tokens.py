"""api_tokens: what programs authenticate with; the secret itself is never stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.domain.account import ApiToken
from mailkeep.domain.scope import Scope
from mailkeep.storage.schema import api_tokens


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
    """A token that is neither revoked nor expired, with what its secret must hash to."""
    query = select(api_tokens).where(api_tokens.c.id == token_id, api_tokens.c.revoked_at.is_(None))
    row = (await connection.execute(query)).one_or_none()
    if row is None or (row.expires_at is not None and row.expires_at <= now):
        return None
    token = ApiToken(
        id=row.id,
        account_id=row.account_id,
        name=row.name,
        scopes=frozenset(Scope(scope) for scope in row.scopes),
        created_at=row.created_at,
        expires_at=row.expires_at,
    )
    return token, SecretHash(row.salt, row.secret_hash)
