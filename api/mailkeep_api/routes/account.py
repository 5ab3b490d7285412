"""/account: the customer behind the credentials."""

from __future__ import annotations

from typing import Final

from mailkeep.domain.scope import Scope
from mailkeep_api.routing import Call, Routes
from mailkeep_api.schemas.accounts import AccountOut

routes: Final = Routes("/api/v1/account", tag="account")


@routes.get("", scope=Scope.ACCOUNT_READ, audit="account.view", returns=AccountOut, etag=True)
async def get_account(call: Call) -> AccountOut:
    """The account, its tier and what it stores."""
    return AccountOut.of(await call.core.accounts.get(call.actor), await call.core.accounts.user(call.actor))
