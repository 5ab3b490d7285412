"""Administration: finding accounts, suspending them, changing what they get. The audit log of the account shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mailkeep.config import Settings
from mailkeep.domain.account import AccountStatus
from mailkeep.domain.administration import AccountEntry, AccountFilter, Totals
from mailkeep.domain.audit import AuditQuery, AuditRecord
from mailkeep.domain.clock import Clock
from mailkeep.domain.scope import Actor, Scope
from mailkeep.errors import ConfigurationError, InvalidInput
from mailkeep.services.audit import AuditTrail
from mailkeep.services.tier_change import TierChange
from mailkeep.storage import account_directory, accounts, audit_log, incidents, recipients
from mailkeep.storage.database import Database


class Administration:
    """For the scope `admin`. Every method raises NotAllowed without it."""

    def __init__(
        self, database: Database, trail: AuditTrail, tier_change: TierChange, settings: Settings, *, clock: Clock
    ) -> None:
        self._database = database
        self._clock = clock
        self._trail = trail
        self._tier_change = tier_change
        self._settings = settings

    async def find(self, actor: Actor, wanted: AccountFilter) -> tuple[list[AccountEntry], str | None]:
        """A page, newest first, and the `before` of the next one."""
        actor.require(Scope.ADMIN)
        async with self._database.read() as connection:
            found = await account_directory.page(connection, replace(wanted, limit=wanted.limit + 1))
        page = found[: wanted.limit]
        named = wanted.email is not None or wanted.address is not None
        await self._note(actor, "admin.account_list", page[0].id if named and page else None)
        return page, page[-1].id if len(found) > wanted.limit else None

    async def get(self, actor: Actor, account_id: str) -> AccountEntry:
        """Raises NotFound. The account's own audit log says that an administrator looked."""
        actor.require(Scope.ADMIN)
        async with self._database.read() as connection:
            entry = await account_directory.get(connection, account_id)
        await self._note(actor, "admin.account_view", account_id)
        return entry

    async def change(
        self, actor: Actor, account_id: str, *, tier: str | None = None, status: AccountStatus | None = None
    ) -> AccountEntry:
        """Change what is given. A suspended account refuses mail, its log-ins end, and nobody can use its tokens.

        In force within a second; what another tier means for addresses and stored mail: `TierChange`. Raises
        NotFound, also for a deleted one; InvalidInput for a tier that is not configured.
        """
        actor.require(Scope.ADMIN)
        self._require_tier(tier)
        async with self._database.write() as connection:
            ledger = await accounts.lock_one(connection, account_id)
            before = await account_directory.get(connection, account_id)
            after = replace(before, tier=tier or before.tier, status=status or before.status)
            changed = await self._tier_change.make(connection, ledger, after.tier)
            await account_directory.set_status(connection, account_id, after.status)
            if after.status is not AccountStatus.ACTIVE:
                await incidents.revoke_sessions(connection, account_id, now=self._clock())
            await recipients.touch_account(connection, account_id)
            await self._trail.write(
                connection,
                actor,
                "admin.account_update",
                resource=account_id,
                detail=f"tier={after.tier} status={after.status.value}" + (f" {changed}" if changed else ""),
                account_id=account_id,
            )
        self._tier_change.made(account_id)
        return after

    async def totals(self, actor: Actor) -> Totals:
        actor.require(Scope.ADMIN)
        await self._note(actor, "admin.stats", None)
        async with self._database.read() as connection:
            return await account_directory.totals(connection)

    async def audit(
        self, actor: Actor, query: AuditQuery, *, account_id: str | None = None
    ) -> tuple[list[AuditRecord], str | None]:
        """A page of everybody's records, or of one account's, newest first, and the `before` of the next one."""
        actor.require(Scope.ADMIN)
        wanted = replace(query, limit=query.limit + 1)
        async with self._database.read() as connection:
            found: Sequence[AuditRecord] = (
                await audit_log.platform_page(connection, wanted)
                if account_id is None
                else await audit_log.page(connection, account_id, wanted)
            )
        await self._note(actor, "admin.audit_list", account_id)
        page = list(found[: query.limit])
        return page, page[-1].id if len(found) > query.limit else None

    async def _note(self, actor: Actor, action: str, account_id: str | None) -> None:
        """Whoever was looked at is told so in the own audit log."""
        await self._trail.note(actor, action, resource=account_id or "", account_id=account_id)

    def _require_tier(self, tier: str | None) -> None:
        try:
            if tier is not None:
                self._settings.tier(tier)
        except ConfigurationError as error:
            raise InvalidInput("not one of the configured tiers", field="tier") from error
