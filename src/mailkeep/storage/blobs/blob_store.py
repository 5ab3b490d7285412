"""What a blob store is, whatever keeps the bytes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from mailkeep.mail.spool import Spool


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A blob as the store lists it. `written_at` is when its last byte was written, by the store's clock."""

    key: str
    size_bytes: int
    written_at: datetime


class BlobStore(Protocol):
    """Keeps bytes under a key: a relative path of our making, with nothing in it that a sender wrote unsanitised."""

    def spool(self) -> Spool:
        """A place for bytes that are arriving."""

    async def store(self, spools: Mapping[str, Spool]) -> None:
        """Make the bytes durable under their keys: when this returns, they survive a loss of power.

        Raises StorageUnavailable; then none of the keys need exist, and those that do are orphans.
        """

    def read(self, key: str) -> AsyncGenerator[bytes, None]:
        """The bytes, in chunks. Raises StorageUnavailable when there is no such blob."""

    async def delete(self, keys: Collection[str]) -> None:
        """Remove blobs; one that is gone already is no error. Raises StorageUnavailable."""

    def stored(self) -> AsyncGenerator[Sequence[StoredBlob], None]:
        """All blobs, some hundred at a time, in no order; of those written or removed meanwhile some may be missing.

        Raises StorageUnavailable.
        """

    async def missing(self, keys: Collection[str]) -> list[str]:
        """Those of the keys under which there is nothing. Raises StorageUnavailable."""
