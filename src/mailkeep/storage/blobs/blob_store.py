"""What a blob store is, whatever keeps the bytes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping
from typing import Protocol

from mailkeep.mail.spool import Spool


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
