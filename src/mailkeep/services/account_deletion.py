"""The deletion of an account by its owner, or by an administrator.

What makes it a deletion to everybody is one transaction: nobody logs in any more, no token works, no mail is taken.
What can take long, the removal of the mail, is queued in it, and done by `AccountPurge`.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.domain.clock import Clock
from mailkeep.domain.deletion import DeletionReceipt
from mailkeep.domain.scope import Actor, Scope
from mailkeep.errors import NotAllowed, NotAuthenticated
from mailkeep.services import hints
from mailkeep.services.account_purge import AccountPurge
from mailkeep.services.accounts import Accounts
from mailkeep.services.audit import AuditTrail
from mailkeep.services.billing_events import BillingEvents
from mailkeep.services.hints import Hints
from mailkeep.storage import (
    account_deletions,
    account_rows,
    accounts,
    addresses,
    recipients,
    schema,
    stripe_cancellations,
)
from mailkeep.storage.account_deletions import Deletion
from mailkeep.storage.database import Database

# `mailkeep audit verify` takes this deed as the reason why the places of an account's records are gone.
ACTION: Final = "account.delete"
_COUNTED: Final = {
    "messages": schema.messages,
    "refusals": schema.refusals,
    "sessions": schema.sessions,
    "tokens": schema.api_tokens,
    "users": schema.users,
}


class AccountDeletion:
    """Deletes accounts."""

    def __init__(
        self,
        database: Database,
        trail: AuditTrail,
        hints: Hints,
        accounts: Accounts,
        purge: AccountPurge,
        billing: BillingEvents,
        *,
        clock: Clock,
    ) -> None:
        self._database = database
        self._trail = trail
        self._hints = hints
        self._accounts = accounts
        self._purge = purge
        self._billing = billing
        self._clock = clock

    async def delete_own(self, actor: Actor, password: str) -> DeletionReceipt:
        """Delete the actor's account, which takes a log-in as its owner and the password once more.

        Raises NotAllowed, also for a wrong password, which counts as a failed log-in; RateExceeded after too many.
        """
        account_id = actor.owner(Scope.ACCOUNT_WRITE)
        if actor.session_id is None:
            raise NotAllowed("only for whoever logged in")
        user = await self._accounts.user(actor)
        try:
            await self._accounts.authenticate(user.email, password, origin=actor.origin)
        except NotAuthenticated as error:
            await self._trail.note(actor, ACTION, outcome="wrong-password", resource=account_id)
            raise NotAllowed("the password is wrong") from error
        return await self._delete(actor, account_id)

    async def delete_any(self, actor: Actor, account_id: str) -> DeletionReceipt:
        """Delete a customer's account for good. Raises NotAllowed without the scope `admin`, NotFound."""
        actor.require(Scope.ADMIN)
        return await self._delete(actor, account_id)

    async def _delete(self, actor: Actor, account_id: str) -> DeletionReceipt:
        now = self._clock()
        async with self._database.write() as connection:
            await accounts.lock_one(connection, account_id)
            deleted = await _counts(connection, account_id)
            await accounts.set_deleted(connection, account_id)
            first_change = await recipients.next_change(connection, count=deleted["addresses"])
            await addresses.bury(connection, account_id, first_change=first_change, now=now)
            for table in (schema.sessions, schema.api_tokens, schema.users):
                await account_rows.erase_all(connection, table, account_id)
            customer_id = await accounts.customer_id(connection, account_id)
            if customer_id is not None:
                await stripe_cancellations.add(connection, customer_id, now=now)
            await account_deletions.add(connection, Deletion(account_id, now))
            record_id = await self._trail.write(
                connection, actor, ACTION, resource=account_id, detail=_detail(deleted), account_id=account_id
            )
        self._hints.notify(hints.RECIPIENTS)
        self._hints.notify(hints.mail_for(account_id))
        self._purge.wake()
        self._billing.wake()
        return DeletionReceipt(id=record_id, account_id=account_id, deleted_at=now, deleted=deleted)


async def _counts(connection: AsyncConnection, account_id: str) -> dict[str, int]:
    counts = {name: await account_rows.count(connection, table, account_id) for name, table in _COUNTED.items()}
    return {"addresses": await addresses.count(connection, account_id), **counts}


def _detail(deleted: dict[str, int]) -> str:
    return " ".join(f"{name}={count}" for name, count in deleted.items())
