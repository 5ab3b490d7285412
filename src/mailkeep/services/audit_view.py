"""The audit log as its customer sees it: the own records, and no other's."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Final

from mailkeep.domain.audit import AuditQuery, AuditRecord
from mailkeep.domain.scope import Actor, Scope
from mailkeep.storage import audit_log
from mailkeep.storage.database import Database

EXPORTED_AT_ONCE: Final = 500


class AuditView:
    """Reads records; what is noted shows after a second at most."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, actor: Actor, query: AuditQuery) -> tuple[list[AuditRecord], str | None]:
        """A page, newest first, and the `before` of the next one. Raises NotAllowed."""
        account_id = actor.owner(Scope.AUDIT_READ)
        async with self._database.read() as connection:
            found = await audit_log.page(connection, account_id, replace(query, limit=query.limit + 1))
        page = found[: query.limit]
        return page, page[-1].id if len(found) > query.limit else None

    async def export(self, actor: Actor, query: AuditQuery) -> AsyncGenerator[AuditRecord, None]:
        """All of them, newest first. Raises NotAllowed."""
        query = replace(query, limit=EXPORTED_AT_ONCE)
        while True:
            page, before = await self.list(actor, query)
            for record in page:
                yield record
            if before is None:
                return
            query = replace(query, before=before)
