"""Records of the audit log on their way to the database: what waits, what is written, what is kept when it cannot be.

Nothing that waits is lost: when there is no room the request waits; what the database did not take when the program
ended is in a file that the next start takes up; what it will never take is in a file for the operator.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from mailkeep.domain.audit_signing import SignedRecord
from mailkeep.domain.ids import new_id
from mailkeep.errors import Unavailable
from mailkeep.services.audit_spill import read_spilled, set_aside, spill
from mailkeep.storage import audit_log
from mailkeep.storage.database import Database

log: structlog.stdlib.BoundLogger = structlog.get_logger()

FLUSH_EVERY_S: Final = 1.0
AT_ONCE: Final = 500
MAX_WAITING: Final = 5_000
RETRY_S: Final = 1.0
LAST_TRY_S: Final = 3.0  # when the program ends, which it must before it is killed


class AuditBuffer:
    """Takes records one by one and writes many at once. `running` is around everything that uses it."""

    def __init__(self, database: Database, *, spill_dir: Path) -> None:
        self._database = database
        self._spill_dir = spill_dir
        self._waiting: list[SignedRecord] = []
        self._room = asyncio.Condition()
        self._due = asyncio.Event()
        self._flushing = asyncio.Lock()
        self._closing = False

    async def put(self, signed: SignedRecord) -> None:
        """Waits while too many are waiting already."""
        async with self._room:
            await self._room.wait_for(lambda: len(self._waiting) < MAX_WAITING)
            self._waiting.append(signed)
        if len(self._waiting) >= AT_ONCE:
            self._due.set()

    async def flush(self) -> None:
        """Write what is waiting. Raises DatabaseUnavailable; it is waiting still then."""
        async with self._flushing:
            while batch := self._waiting[:AT_ONCE]:
                await self._write(batch)
                async with self._room:
                    del self._waiting[: len(batch)]
                    self._room.notify_all()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Writes while the block lasts, and what is left when it ends."""
        await self._take_up_spilled()
        writer = asyncio.create_task(self._run(), name="audit log")
        try:
            yield
        finally:
            self._closing = True
            self._due.set()
            await self._close(writer)

    async def _run(self) -> None:
        while not self._closing:
            try:
                async with asyncio.timeout(FLUSH_EVERY_S):
                    await self._due.wait()
            except TimeoutError:
                pass
            self._due.clear()
            try:
                await self.flush()
            except Unavailable as error:
                log.warning("audit.not_written", reason=type(error).__name__, waiting=len(self._waiting))
                await asyncio.sleep(RETRY_S)
            except Exception:  # the writer must not end: whoever has something to record would wait for ever
                log.exception("audit.failed", waiting=len(self._waiting))
                await asyncio.sleep(RETRY_S)

    async def _close(self, writer: asyncio.Task[None]) -> None:
        try:
            async with asyncio.timeout(LAST_TRY_S):
                await writer
                await self.flush()
        except (TimeoutError, Unavailable):
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            await asyncio.to_thread(spill, self._spill_dir / f"{new_id()}.jsonl", self._waiting)
            log.warning("audit.spilled", records=len(self._waiting))

    async def _write(self, batch: Sequence[SignedRecord]) -> None:
        """All of it, whatever happened before: a commit that was not acknowledged may have stored it already."""
        try:
            async with self._database.write() as connection:
                await audit_log.add_all(connection, batch)
        except SQLAlchemyError:
            for signed in batch:
                await self._write_one(signed)

    async def _write_one(self, signed: SignedRecord) -> None:
        try:
            async with self._database.write() as connection:
                if not await audit_log.known(connection, [signed.record.id]):
                    await audit_log.add_all(connection, [signed])
        except SQLAlchemyError as error:
            path = self._spill_dir / f"{new_id()}.refused"
            await asyncio.to_thread(spill, path, [signed])
            log.error("audit.refused", record=signed.record.id, reason=type(error).__name__)  # noqa: TRY400  its text may hold what a stranger wrote

    async def _take_up_spilled(self) -> None:
        """Records that an earlier run could not write. Several processes may start at once: each is stored once."""
        for path in sorted(self._spill_dir.glob("*.jsonl")):
            spilled, damaged = await asyncio.to_thread(read_spilled, path)
            for at in range(0, len(spilled), AT_ONCE):
                await self._write(spilled[at : at + AT_ONCE])
            await asyncio.to_thread(set_aside if damaged else _remove, path)
            log.warning("audit.taken_up", records=len(spilled), damaged=damaged)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
