"""Whether blobs and rows belong together: bytes that no row names, rows whose bytes are gone.

A delivery makes its blobs durable before their row. So a blob counts as an orphan only when it is older than a grace
that no delivery lasts for; and what is queued for deletion is none, because `BlobRemoval` has it.

Beside a database that is empty, wrong, or older than the blobs, all of them look like orphans, and may be the only copy
of mail. So the daily round removes nothing, and a command that would remove most of them refuses at first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import structlog

from mailkeep.domain.clock import Clock
from mailkeep.errors import ConfigurationError
from mailkeep.services.rounds import Rounds
from mailkeep.storage import blob_keys
from mailkeep.storage.blobs.blob_store import BlobStore, StoredBlob
from mailkeep.storage.database import Database

log: structlog.stdlib.BoundLogger = structlog.get_logger()

# A sender may take hours for a message, and Postfix hands it on when it has all of it; a day is far from both.
GRACE: Final = timedelta(days=1)
LEAST_GRACE: Final = timedelta(hours=1)
ROWS_AT_ONCE: Final = 500
PAUSE_S: Final = 0.01
EVERY_S: Final = 24 * 3600


@dataclass(slots=True)
class BlobFindings:
    """What a check found. `young` blobs have no row and are within the grace: a delivery may be under way."""

    blobs: int = 0
    rows: int = 0
    young: int = 0
    orphans: list[StoredBlob] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    removed: int = 0


class BlobCheck:
    """Looks at every blob and every row that names one, some at a time, and locks nothing."""

    def __init__(self, database: Database, blobs: BlobStore, *, clock: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._clock = clock
        self._rounds = Rounds("blobs", lambda: self.check(mend=False), every_s=EVERY_S)

    def running(self) -> AbstractAsyncContextManager[None]:
        """Once a day while the block lasts: what is found is said in the log. It ends early when the program does."""
        return self._rounds.running()

    async def check(
        self,
        *,
        mend: bool,
        force: bool = False,
        grace: timedelta = GRACE,
        progress: Callable[[int], None] = lambda _: None,
    ) -> BlobFindings:
        """`mend` removes the orphans; nothing can be done for a row whose bytes are gone but to say so.

        `grace` is never less than an hour. `progress` is told how many blobs and rows were looked at.
        Raises ConfigurationError, before anything is removed, when most blobs are orphans and `force` is not set;
        DatabaseUnavailable, StorageUnavailable.
        """
        findings = BlobFindings()
        await self._look_for_orphans(findings, max(grace, LEAST_GRACE), progress)
        await self._look_for_missing(findings, progress)
        if mend:
            _require_likely(findings, force=force)
            await self._remove(findings)
        log.info(
            "blobs.checked",
            blobs=findings.blobs,
            rows=findings.rows,
            orphans=len(findings.orphans),
            removed=findings.removed,
            missing=len(findings.missing),
        )
        return findings

    async def _look_for_orphans(
        self, findings: BlobFindings, grace: timedelta, progress: Callable[[int], None]
    ) -> None:
        before = self._clock() - grace
        async for page in self._blobs.stored():
            if self._rounds.closing:
                return
            findings.blobs += len(page)
            nobodys = await self._without_row(page)
            orphans = [blob for blob in nobodys if blob.written_at < before]
            findings.young += len(nobodys) - len(orphans)
            findings.orphans += orphans
            progress(findings.blobs)
            await asyncio.sleep(PAUSE_S)

    async def _remove(self, findings: BlobFindings) -> None:
        """Looked at once more, some at a time: their time has passed, but a row is worth another question."""
        ours = [blob for blob in findings.orphans if blob_keys.is_ours(blob.key)]
        for start in range(0, len(ours), ROWS_AT_ONCE):
            keys = [blob.key for blob in await self._without_row(ours[start : start + ROWS_AT_ONCE])]
            await self._blobs.delete(keys)
            findings.removed += len(keys)
            await asyncio.sleep(PAUSE_S)

    async def _without_row(self, page: Sequence[StoredBlob]) -> list[StoredBlob]:
        async with self._database.read() as connection:
            named = await blob_keys.named_among(connection, [blob.key for blob in page])
        return [blob for blob in page if blob.key not in named]

    async def _look_for_missing(self, findings: BlobFindings, progress: Callable[[int], None]) -> None:
        for source in blob_keys.SOURCES:
            after = ""
            while not self._rounds.closing and (page := await self._page(source, after)):
                findings.rows += len(page)
                gone = await self._blobs.missing([key for _, key in page])
                findings.missing += await self._still_named(gone)
                after = page[-1][0]
                progress(findings.blobs + findings.rows)
                await asyncio.sleep(PAUSE_S)

    async def _page(self, source: blob_keys.Source, after: str) -> list[tuple[str, str]]:
        async with self._database.read() as connection:
            return await blob_keys.page(connection, source, after=after, limit=ROWS_AT_ONCE)

    async def _still_named(self, keys: Collection[str]) -> list[str]:
        """Rows go before their bytes, so a row that was deleted meanwhile is no finding."""
        if not keys:
            return []
        async with self._database.read() as connection:
            return sorted(await blob_keys.rows_among(connection, keys))


def _require_likely(findings: BlobFindings, *, force: bool) -> None:
    if not force and len(findings.orphans) * 2 > findings.blobs:
        raise ConfigurationError(
            f"{len(findings.orphans):,} of {findings.blobs:,} blobs belong to no message of this database: nothing was "
            "removed. Is it the database of these blobs, and as new as they are? If it is, --force removes them"
        )
