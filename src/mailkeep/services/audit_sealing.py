"""Sealing the audit log: a chain of hashes over its records, so that any later change of it is found.

Each record carries a code of its own, so that nobody without the key can make or change one, sealed or not. The chain
adds what that cannot show: that none is missing, and none was moved. Its head is kept outside of the database too:
whoever takes records and links off the end of both tables is found by that.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from mailkeep.domain.audit_signing import FIRST, AuditSigner
from mailkeep.domain.clock import Clock
from mailkeep.domain.ids import lowest_id
from mailkeep.errors import Unavailable
from mailkeep.services.audit_head import write_head
from mailkeep.storage import audit_seals
from mailkeep.storage.audit_seals import Seal
from mailkeep.storage.database import Database

log: structlog.stdlib.BoundLogger = structlog.get_logger()

AT_ONCE: Final = 1_000
SEAL_EVERY_S: Final = 60
# Records come in the order of their ids but for clocks that differ and transactions that take long. The first round
# looks at the whole log.
LATE: Final = timedelta(hours=1)


class AuditSealing:
    """Seals what is not sealed yet. Any number of processes may: they take turns."""

    def __init__(self, database: Database, signer: AuditSigner, *, head_path: Path, clock: Clock) -> None:
        self._database = database
        self._signer = signer
        self._head_path = head_path
        self._clock = clock
        self._since = ""

    async def seal(self) -> int:
        """Seal all there is; returns how many records. Raises DatabaseUnavailable."""
        count, since = 0, lowest_id(self._clock() - LATE)
        while done := await self._seal_some():
            count += done
        self._since = since
        return count

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Seals once a minute while the block lasts."""
        sealer = asyncio.create_task(self._run(), name="audit sealing")
        try:
            yield
        finally:
            sealer.cancel()
            await asyncio.gather(sealer, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(SEAL_EVERY_S)
            try:
                if count := await self.seal():
                    log.info("audit.sealed", records=count)
            except (Unavailable, SQLAlchemyError) as error:
                log.warning("audit.not_sealed", reason=type(error).__name__)

    async def _seal_some(self) -> int:
        async with self._database.write() as connection:
            await audit_seals.lock(connection)
            previous = await audit_seals.last(connection) or Seal(0, "", FIRST)
            links = []
            for audit_id, mac in await audit_seals.unsealed(connection, since=self._since, limit=AT_ONCE):
                seq = previous.seq + 1
                previous = Seal(seq, audit_id, self._signer.seal(previous.hash, seq, audit_id, mac))
                links.append(previous)
            if links:
                await audit_seals.add_all(connection, links)
        if links:
            await asyncio.to_thread(write_head, self._head_path, previous)
        return len(links)
