"""Changing a message only if it is what the caller has seen."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.domain.message import MessageSummary
from mailkeep.errors import PreconditionFailed
from mailkeep.storage import accounts, messages


async def require_as_seen(connection: AsyncConnection, account_id: str, seen: MessageSummary) -> None:
    """Raises NotFound, PreconditionFailed. Until the transaction ends nobody else gets past this for that account."""
    await accounts.lock(connection, [account_id])
    stored = await messages.get(connection, account_id, seen.id)
    if stored.summary != seen:
        raise PreconditionFailed("the message has been changed")
