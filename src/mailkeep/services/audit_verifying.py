"""Finding what was changed in the audit log: a record altered, taken out, put in, or moved."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from mailkeep.domain.audit import DONE
from mailkeep.domain.audit_signing import FIRST, AuditSigner, SignedRecord, place_hash
from mailkeep.domain.clock import Clock
from mailkeep.domain.ids import lowest_id
from mailkeep.services.audit_head import read_head
from mailkeep.services.audit_sealing import LATE
from mailkeep.storage import audit_log, audit_seals
from mailkeep.storage.audit_seals import Seal
from mailkeep.storage.database import Database

AT_ONCE: Final = 1_000
# With this deed the places of an account's records are erased; without it they must be there.
ERASED_BY: Final = "account.delete"


class Fault(StrEnum):
    CHANGED = "changed"  # the record is not what was written, or was not written by us
    MISSING = "missing"  # a link names it, and it is not there
    CHAIN = "chain"  # the link is not what was written, or is at another place
    PLACE_CHANGED = "place_changed"
    PLACE_MISSING = "place_missing"
    CUT_OFF = "cut_off"  # the chain ends before the head that was noted outside of the database


@dataclass(frozen=True, slots=True)
class Finding:
    """The first thing that is wrong: at which record, and at which place of the chain, 0 for an unsealed one."""

    fault: Fault
    audit_id: str
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was looked at, and the first fault; None: the log is whole.

    `late`: how many of the unsealed ones have been so for longer than it takes. `has_head`: whether the head of the
    chain was known from outside of the database; otherwise nothing can be said of its end.
    """

    sealed: int
    unsealed: int
    late: int
    has_head: bool
    finding: Finding | None


class _Found(Exception):
    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.fault)
        self.finding = finding


class AuditVerifying:
    """Reads the whole log, a page at a time."""

    def __init__(self, database: Database, signer: AuditSigner, *, head_path: Path, clock: Clock) -> None:
        self._database = database
        self._signer = signer
        self._head_path = head_path
        self._clock = clock

    async def verify(self, progress: Callable[[int], None]) -> Verdict:
        """`progress` is told how many records have been looked at. Raises DatabaseUnavailable, ConfigurationError."""
        head = await asyncio.to_thread(read_head, self._head_path)
        return await _Verification(self._database, self._signer, progress, clock=self._clock).verify(head)


class _Verification:
    def __init__(
        self, database: Database, signer: AuditSigner, progress: Callable[[int], None], *, clock: Clock
    ) -> None:
        self._database = database
        self._signer = signer
        self._clock = clock
        self._progress = progress
        self._without_place: dict[str, Finding] = {}
        self._sealed = self._unsealed = self._late = 0

    async def verify(self, head: Seal | None) -> Verdict:
        """`head`: what was noted outside of the database when it was last sealed."""
        finding: Finding | None = None
        try:
            await self._verify_chain(head)
            await self._verify_unsealed()
            await self._verify_erasures()
        except _Found as found:
            finding = found.finding
        return Verdict(self._sealed, self._unsealed, self._late, head is not None, finding)

    async def _verify_chain(self, head: Seal | None) -> None:
        previous = Seal(0, "", FIRST)
        noted = head or previous
        while links := await self._links(previous.seq):
            records = await self._records([link.audit_id for link in links])
            for link in links:
                self._verify_link(previous, link, records.get(link.audit_id))
                if link.seq == noted.seq and link.hash != noted.hash:
                    raise _Found(Finding(Fault.CHAIN, link.audit_id, link.seq))
                previous = link
                self._sealed += 1
            self._progress(self._sealed)
        if previous.seq < noted.seq:
            raise _Found(Finding(Fault.CUT_OFF, noted.audit_id, noted.seq))

    def _verify_link(self, previous: Seal, link: Seal, signed: SignedRecord | None) -> None:
        if link.seq != previous.seq + 1:
            raise _Found(Finding(Fault.CHAIN, link.audit_id, previous.seq + 1))
        if signed is None:
            raise _Found(Finding(Fault.MISSING, link.audit_id, link.seq))
        self._verify_record(signed, link.seq)
        if link.hash != self._signer.seal(previous.hash, link.seq, link.audit_id, signed.mac):
            raise _Found(Finding(Fault.CHAIN, link.audit_id, link.seq))

    def _verify_record(self, signed: SignedRecord, seq: int) -> None:
        record = signed.record
        if signed.mac != self._signer.mac(record, signed.place_sha256):
            raise _Found(Finding(Fault.CHANGED, record.id, seq))
        if record.place is None:
            self._without_place.setdefault(record.account_id or "", Finding(Fault.PLACE_MISSING, record.id, seq))
        elif place_hash(signed.salt, record.place) != signed.place_sha256:
            raise _Found(Finding(Fault.PLACE_CHANGED, record.id, seq))

    async def _verify_unsealed(self) -> None:
        after, old = "", lowest_id(self._clock() - LATE)
        while ids := await self._ids(after):
            async with self._database.read() as connection:
                sealed = await audit_seals.sealed(connection, ids)
            records = await self._records([audit_id for audit_id in ids if audit_id not in sealed])
            for signed in records.values():
                self._verify_record(signed, 0)
                self._unsealed += 1
                self._late += signed.record.id < old
            after = ids[-1]

    async def _verify_erasures(self) -> None:
        for account_id, finding in self._without_place.items():
            if not await self._is_deleted(account_id):
                raise _Found(finding)

    async def _is_deleted(self, account_id: str) -> bool:
        async with self._database.read() as connection:
            deletions = await audit_log.of_action(connection, account_id, ERASED_BY)
        return any(
            signed.record.outcome == DONE and signed.mac == self._signer.mac(signed.record, signed.place_sha256)
            for signed in deletions
        )

    async def _links(self, after: int) -> list[Seal]:
        async with self._database.read() as connection:
            return await audit_seals.after(connection, after, limit=AT_ONCE)

    async def _ids(self, after: str) -> list[str]:
        async with self._database.read() as connection:
            return [audit_id for audit_id, _ in await audit_log.codes_after(connection, after, limit=AT_ONCE)]

    async def _records(self, ids: list[str]) -> dict[str, SignedRecord]:
        async with self._database.read() as connection:
            return await audit_log.of_ids(connection, ids)
