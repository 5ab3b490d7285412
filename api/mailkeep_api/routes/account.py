"""/account: the customer behind the credentials."""

from __future__ import annotations

from typing import Final

from mailkeep.domain.scope import Scope
from mailkeep_api.routing import OWNER, Call, Routes
from mailkeep_api.schemas.accounts import AccountDeletionIn, AccountOut, DeletionOut

routes: Final = Routes("/api/v1/account", tag="account")


@routes.get("", scope=Scope.ACCOUNT_READ, audit="account.view", returns=AccountOut, etag=True)
async def get_account(call: Call) -> AccountOut:
    """The account, its tier and what it stores."""
    user = await call.core.accounts.user(call.actor) if call.actor.user_id is not None else None
    return AccountOut.of(await call.core.accounts.get(call.actor), user)


@routes.delete("", scope=OWNER, audit="account.delete", body=AccountDeletionIn, returns=DeletionOut)
async def delete_account(call: Call, body: AccountDeletionIn) -> DeletionOut:
    """Delete the account with all that is in it, for good: only its owner may, with the password once more.

    From the answer on nobody gets in, no token works, and mail to its addresses is refused; the stored bytes are
    removed soon after. The answer says what is kept.
    """
    return DeletionOut.of(await call.core.deletion.delete_own(call.actor, body.password))
