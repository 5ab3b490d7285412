"""Writing the audit log.

Who changes something writes the record in the transaction of the change: there is no change without its record. What
was only read, and what failed, is noted: it waits in memory for a second at most, so that reading does not wait for
it. Nothing that waits is lost: when there is no room the request waits, and what the database did not take when the
program ended is in a file that the next start reads.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.domain.audit import DONE, MAX_DETAIL, MAX_RESOURCE, MAX_USER_AGENT, AuditRecord, Origin, Place
from mailkeep.domain.audit_signing import AuditSigner, SignedRecord
from mailkeep.domain.clock import Clock
from mailkeep.domain.ids import new_id
from mailkeep.domain.scope import Actor
from mailkeep.errors import Unavailable
from mailkeep.services.audit_spill import read_spilled, spill
from mailkeep.storage import audit_log, idempotency_keys
from mailkeep.storage.database import Database

log: structlog.stdlib.BoundLogger = structlog.get_logger()

FLUSH_EVERY_S: Final = 1.0
AT_ONCE: Final = 500
MAX_WAITING: Final = 5_000
RETRY_S: Final = 1.0
LAST_TRIES: Final = 5  # when the program ends


class AuditTrail:
    """Takes records. `running` is around everything that uses it."""

    def __init__(self, database: Database, signer: AuditSigner, *, spill_dir: Path, clock: Clock) -> None:
        self._database = database
        self._signer = signer
        self._spill_dir = spill_dir
        self._clock = clock
        self._waiting: list[SignedRecord] = []
        self._room = asyncio.Condition()
        self._due = asyncio.Event()
        self._flushing = asyncio.Lock()
        self._closing = False

    async def write(
        self,
        connection: AsyncConnection,
        actor: Actor,
        action: str,
        *,
        resource: str = "",
        detail: str = "",
        account_id: str | None = None,
    ) -> str:
        """Record what this transaction does; returns the record's id.

        `account_id`: the customer it concerns, where that is not the actor's.
        """
        record = self._record(actor, action, resource=resource, detail=detail, account_id=account_id)
        await audit_log.add_all(connection, [self._signer.sign(record)])
        if actor.origin.claim and actor.account_id is not None:
            await idempotency_keys.mark_done(connection, actor.account_id, actor.origin.claim)
        actor.origin.written = True
        return record.id

    async def note(
        self,
        actor: Actor,
        action: str,
        *,
        outcome: str = DONE,
        resource: str = "",
        detail: str = "",
        account_id: str | None = None,
    ) -> None:
        """Record what changed nothing. Waits while too many are waiting already."""
        record = self._record(actor, action, outcome=outcome, resource=resource, detail=detail, account_id=account_id)
        signed = self._signer.sign(record)
        async with self._room:
            await self._room.wait_for(lambda: len(self._waiting) < MAX_WAITING)
            self._waiting.append(signed)
        actor.origin.noted = True
        if len(self._waiting) >= AT_ONCE:
            self._due.set()

    async def flush(self) -> None:
        """Write what is waiting. Raises DatabaseUnavailable; it is waiting still then."""
        async with self._flushing:
            while batch := self._waiting[:AT_ONCE]:
                async with self._database.write() as connection:
                    await audit_log.add_all(connection, batch)
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
            await writer
            await self._close()

    def _record(
        self,
        actor: Actor,
        action: str,
        *,
        outcome: str = DONE,
        resource: str,
        detail: str,
        account_id: str | None,
    ) -> AuditRecord:
        return AuditRecord(
            id=new_id(),
            at=self._clock(),
            account_id=account_id or actor.account_id,
            actor_kind=actor.kind,
            actor_id=actor.user_id or actor.token_id or "",
            action=action,
            resource=resource[:MAX_RESOURCE],
            detail=detail[:MAX_DETAIL],
            outcome=outcome,
            request_id=actor.origin.request_id,
            place=_place(actor.origin),
        )

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
            except (Unavailable, SQLAlchemyError) as error:
                log.warning("audit.not_written", reason=type(error).__name__, waiting=len(self._waiting))
                await asyncio.sleep(RETRY_S)

    async def _close(self) -> None:
        for _ in range(LAST_TRIES):
            try:
                await self.flush()
            except (Unavailable, SQLAlchemyError):
                await asyncio.sleep(RETRY_S)
            else:
                return
        await asyncio.to_thread(spill, self._spill_dir / f"{new_id()}.jsonl", self._waiting)
        log.error("audit.spilled", records=len(self._waiting))

    async def _take_up_spilled(self) -> None:
        """Records that an earlier run could not write. Those that the database has all the same are left out."""
        for path in sorted(self._spill_dir.glob("*.jsonl")):
            spilled = await asyncio.to_thread(read_spilled, path)
            for at in range(0, len(spilled), AT_ONCE):
                await self._add_missing(spilled[at : at + AT_ONCE])
            path.unlink(missing_ok=True)

    async def _add_missing(self, batch: Sequence[SignedRecord]) -> None:
        async with self._database.write() as connection:
            known = await audit_log.known(connection, {signed.record.id for signed in batch})
            missing = [signed for signed in batch if signed.record.id not in known]
            if missing:
                await audit_log.add_all(connection, missing)


def _place(origin: Origin) -> Place:
    return Place(client_ip=origin.client_ip[:64], user_agent=visible(origin.user_agent)[:MAX_USER_AGENT])


def visible(text: str) -> str:
    """Text of a stranger's with everything escaped that a terminal or a spreadsheet would act on."""
    cut = text[:MAX_USER_AGENT]
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in cut)
