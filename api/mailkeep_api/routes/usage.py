"""/usage: what the account uses of what its tier gives."""

from __future__ import annotations

from typing import Final

from mailkeep.domain.scope import Scope
from mailkeep_api.routing import Call, Routes
from mailkeep_api.schemas.usage import UsageOut, UsageQuery

routes: Final = Routes("/api/v1/usage", tag="account")


@routes.get("", scope=Scope.ACCOUNT_READ, audit="usage.view", query=UsageQuery, returns=UsageOut)
async def get_usage(call: Call, query: UsageQuery) -> UsageOut:
    """Limits, what is used of them, what to be warned of, and messages, bytes and refusals by day.

    Deleting a message gives its storage back; the days go on counting what was received. They are kept for a year.
    """
    return UsageOut.of(await call.core.usage.of(call.actor, days=query.days))
