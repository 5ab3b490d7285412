"""/billing: the plan of the account, and what it allows."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from mailkeep_web.routing import Routes
from mailkeep_web.visit import MemberVisit

routes: Final = Routes()


@routes.member("GET", "/billing", audit="billing.view")
async def show(visit: MemberVisit) -> web.StreamResponse:
    account = await visit.core.accounts.get(visit.actor)
    context = {"tier": visit.settings.tier(account.tier), "account": account}
    return await visit.member_page("billing.html", context)
