"""Removing blobs whose rows are gone: the keys were queued in the transaction that removed the rows."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from mailkeep.storage import blob_deletions
from mailkeep.storage.blobs.blob_store import BlobStore
from mailkeep.storage.database import Database

AT_ONCE: Final = 500


class BlobRemoval:
    """Removes bytes, then their keys from the queue. To remove what is gone already is no error."""

    def __init__(self, database: Database, blobs: BlobStore) -> None:
        self._database = database
        self._blobs = blobs

    async def remove(self, keys: Collection[str]) -> None:
        """After the commit that queued them. Raises StorageUnavailable, DatabaseUnavailable; they stay queued then."""
        if keys:
            await self._blobs.delete(keys)
            async with self._database.write() as connection:
                await blob_deletions.done(connection, keys)

    async def work_off(self) -> None:
        """All that are queued, also by a process that was killed. Raises as `remove` does."""
        while keys := await self._oldest():
            await self.remove(keys)

    async def _oldest(self) -> Collection[str]:
        async with self._database.read() as connection:
            return await blob_deletions.oldest(connection, limit=AT_ONCE)
