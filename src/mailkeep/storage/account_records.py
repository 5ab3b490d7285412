"""What an account's rows say of it, for its owner to take along. Columns are named, so that no secret is among them."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.storage.schema import addresses, api_tokens, refusals, sessions, users

Record = dict[str, Any]

_USED: Final = "created_at", "expires_at", "revoked_at"


class Kind(Enum):
    """What there are records of."""

    USERS = "users"
    SESSIONS = "sessions"
    TOKENS = "tokens"
    ADDRESSES = "addresses"  # deleted ones included
    REFUSALS = "refusals"


_TABLES: Final = {
    Kind.USERS: users,
    Kind.SESSIONS: sessions,
    Kind.TOKENS: api_tokens,
    Kind.ADDRESSES: addresses,
    Kind.REFUSALS: refusals,
}
_COLUMNS: Final[dict[Kind, tuple[str, ...]]] = {
    Kind.USERS: ("id", "email", "role", "created_at"),
    Kind.SESSIONS: ("id", "user_id", *_USED, "last_seen_at", "client_ip", "user_agent"),
    Kind.TOKENS: ("id", "name", "scopes", *_USED, "last_used_at"),
    Kind.ADDRESSES: ("id", "address", "label", "status", "created_at", "changed_at", "deleted_at"),
    Kind.REFUSALS: (
        *("id", "address_id", "code", "status", "reason", "mail_from", "rcpt_to", "client_ip", "client_name"),
        *("first_at", "last_at", "count", "expires_at"),
    ),
}


async def page(
    connection: AsyncConnection, kind: Kind, account_id: str, *, after: str = "", limit: int
) -> list[Record]:
    """In the order of the ids; times are aware `datetime`s."""
    table = _TABLES[kind]
    columns = [table.c[name] for name in _COLUMNS[kind]]
    query = select(*columns).where(table.c.account_id == account_id, table.c.id > after)
    rows = (await connection.execute(query.order_by(table.c.id).limit(limit))).mappings()
    return [dict(row) for row in rows]
