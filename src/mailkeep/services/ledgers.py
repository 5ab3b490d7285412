"""An account's ledger: what it stores, kept in the transaction that changes it."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.storage import accounts, recipients
from mailkeep.storage.accounts import Ledger


async def save(connection: AsyncConnection, before: Ledger, after: Ledger, *, quota_bytes: int) -> bool:
    """Write a locked ledger back. True when the account passed its quota, up or down.

    The door for mail learns of that as of any other change of its recipients; tell it after the commit.
    """
    await accounts.save(connection, after)
    crossed = (before.storage_bytes >= quota_bytes) != (after.storage_bytes >= quota_bytes)
    if crossed:
        await recipients.touch_account(connection, after.id)
    return crossed
