"""After a break-in: take away what gives access, and find out whom to tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.domain.clock import Clock
from mailkeep.domain.incident import Notice, Traces
from mailkeep.domain.scope import Actor, Scope
from mailkeep.services.audit import AuditTrail
from mailkeep.storage import account_directory, incidents
from mailkeep.storage.database import Database

TIMEOUT_S: Final = 600  # all accounts at once


class Incident:
    """For the scope `admin`. Every method raises NotAllowed without it."""

    def __init__(self, database: Database, trail: AuditTrail, *, clock: Clock) -> None:
        self._database = database
        self._trail = trail
        self._clock = clock

    async def revoke_sessions(self, actor: Actor, account_id: str | None) -> int:
        """End the log-ins of an account, or of all; returns how many. Each account's audit log says it.

        Raises NotFound.
        """
        actor.require(Scope.ADMIN)
        async with self._database.write(timeout_s=TIMEOUT_S) as connection:
            await self._require_account(connection, account_id)
            revoked = await incidents.revoke_sessions(connection, account_id, now=self._clock())
            await self._record(connection, actor, "incident.sessions_revoked", revoked)
        return sum(revoked.values())

    async def revoke_tokens(self, actor: Actor, account_id: str | None) -> int:
        """Revoke the tokens of an account, or of all customers; returns how many. The tokens of services stay.

        Raises NotFound.
        """
        actor.require(Scope.ADMIN)
        async with self._database.write(timeout_s=TIMEOUT_S) as connection:
            await self._require_account(connection, account_id)
            revoked = await incidents.revoke_tokens(connection, account_id, now=self._clock())
            await self._record(connection, actor, "incident.tokens_revoked", revoked)
        return sum(revoked.values())

    async def notices(self, actor: Actor, traces: Traces) -> list[Notice]:
        """The accounts that the audit log has such records of, with their owners' e-mail addresses."""
        actor.require(Scope.ADMIN)
        async with self._database.read() as connection:
            found = await incidents.affected(connection, traces)
            owners = await account_directory.owners_of(connection, [each.account_id for each in found])
        await self._trail.note(actor, "incident.affected", detail=f"accounts={len(found)}")
        return [Notice(each, owners.get(each.account_id, "")) for each in found]

    async def _require_account(self, connection: AsyncConnection, account_id: str | None) -> None:
        """Raises NotFound: an id that is mistyped must not look like an account without log-ins."""
        if account_id is not None:
            await account_directory.get(connection, account_id)

    async def _record(self, connection: AsyncConnection, actor: Actor, action: str, revoked: Mapping[str, int]) -> None:
        for account_id, count in revoked.items():
            await self._trail.write(connection, actor, action, detail=f"revoked={count}", account_id=account_id)
