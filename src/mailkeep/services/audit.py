"""Writing the audit log.

Who changes something writes the record in the transaction of the change: there is no change without its record. What
was only read, and what failed, is noted: it waits in memory for a second at most, so that reading does not wait for
the database (see `audit_buffer`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.domain.audit import DONE, MAX_DETAIL, MAX_RESOURCE, AuditRecord, Origin, Place
from mailkeep.domain.audit_signing import AuditSigner
from mailkeep.domain.clock import Clock
from mailkeep.domain.ids import new_id
from mailkeep.domain.scope import Actor
from mailkeep.services.audit_buffer import AuditBuffer
from mailkeep.services.audit_tally import AuditTally, is_counted
from mailkeep.storage import audit_log, idempotency_keys
from mailkeep.storage.database import Database


class AuditTrail:
    """Takes records. `running` is around everything that uses it."""

    def __init__(self, database: Database, signer: AuditSigner, *, spill_dir: Path, clock: Clock) -> None:
        self._signer = signer
        self._clock = clock
        self._buffer = AuditBuffer(database, spill_dir=spill_dir)
        self._tally = AuditTally()

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
        actor.origin.noted = True
        await self._note_counted()
        if not is_counted(record) or self._tally.is_first(record):
            await self._buffer.put(self._signer.sign(record))

    async def flush(self) -> None:
        """Write what is waiting. Raises DatabaseUnavailable; it is waiting still then."""
        await self._buffer.flush()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Writes while the block lasts, and what is left when it ends."""
        async with self._buffer.running():
            try:
                yield
            finally:
                for record in self._tally.rest():
                    await self._buffer.put(self._signer.sign(record))

    async def _note_counted(self) -> None:
        for record in self._tally.over(self._clock()):
            await self._buffer.put(self._signer.sign(record))

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


def _place(origin: Origin) -> Place:
    return Place(client_ip=origin.client_ip, user_agent=origin.user_agent)
