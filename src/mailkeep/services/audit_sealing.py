"""Sealing the audit log: a chain of hashes over its records, so that any later change of it is found.

Each record carries a code of its own, so that nobody without the key can make or change one, sealed or not. The chain
adds what that cannot show: that none is missing, and none was moved. Its head is kept outside of the database too:
whoever takes records and links off the end of both tables is found by that.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from typing import Final

import structlog

from mailkeep.domain.audit_signing import FIRST, AuditSigner
from mailkeep.domain.ids import lowest_id, moment_of
from mailkeep.services.audit_head import write_head
from mailkeep.services.rounds import Rounds
from mailkeep.storage import audit_log, audit_seals
from mailkeep.storage.audit_seals import Seal
from mailkeep.storage.database import Database

log: structlog.stdlib.BoundLogger = structlog.get_logger()

AT_ONCE: Final = 1_000
SEAL_EVERY_S: Final = 60
# Records come in the order of their ids but for clocks that differ and transactions that take long. What is later than
# that is found once a day, when the whole log is looked through.
LATE: Final = timedelta(hours=1)
ROUNDS_A_DAY: Final = 24 * 3600 // SEAL_EVERY_S


class AuditSealing:
    """Seals what is not sealed yet. Any number of processes may: they take turns."""

    def __init__(self, database: Database, signer: AuditSigner, *, head_path: Path) -> None:
        self._database = database
        self._signer = signer
        self._head_path = head_path
        self._round_numbers = itertools.count()
        self._rounds = Rounds("sealing", self._round, every_s=SEAL_EVERY_S)

    async def seal(self, *, everything: bool = True) -> int:
        """Seal what is not sealed; returns how many records. `everything`: look through the whole log for it.

        Raises DatabaseUnavailable, ConfigurationError when the head's file is damaged.
        """
        count, after = 0, "" if everything else await self._where_to_begin()
        while not self._rounds.closing and (page := await self._page(after)):
            after = page[-1][0]
            count += await self._seal_some(page)
        return count

    def running(self) -> AbstractAsyncContextManager[None]:
        """Seals once a minute while the block lasts."""
        return self._rounds.running()

    async def _round(self) -> None:
        everything = next(self._round_numbers) % ROUNDS_A_DAY == 0
        if sealed := await self.seal(everything=everything):
            log.info("audit.sealed", records=sealed)

    async def _where_to_begin(self) -> str:
        async with self._database.read() as connection:
            last = await audit_seals.last(connection)
        return "" if last is None else lowest_id(moment_of(last.audit_id) - LATE)

    async def _page(self, after: str) -> Sequence[tuple[str, str]]:
        """Id and code of the records after an id, in the order of their ids."""
        async with self._database.read() as connection:
            return await audit_log.codes_after(connection, after, limit=AT_ONCE)

    async def _seal_some(self, page: Sequence[tuple[str, str]]) -> int:
        """Of these, those that are not sealed. Nobody else is kept waiting while they are looked for."""
        ids = [audit_id for audit_id, _ in page]
        async with self._database.read() as connection:
            if len(await audit_seals.sealed(connection, ids)) == len(ids):
                return 0
        async with self._database.write() as connection:
            await audit_seals.lock(connection)
            sealed = await audit_seals.sealed(connection, ids)
            links = self._links(await audit_seals.last(connection), [each for each in page if each[0] not in sealed])
            if links:
                await audit_seals.add_all(connection, links)
        if links:
            await asyncio.to_thread(write_head, self._head_path, links[-1])
        return len(links)

    def _links(self, last: Seal | None, records: Sequence[tuple[str, str]]) -> list[Seal]:
        previous, links = last or Seal(0, "", FIRST), list[Seal]()
        for audit_id, mac in records:
            seq = previous.seq + 1
            previous = Seal(seq, audit_id, self._signer.seal(previous.hash, seq, audit_id, mac))
            links.append(previous)
        return links
