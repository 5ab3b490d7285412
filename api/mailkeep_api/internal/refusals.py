"""/api/internal/refusals: what an mxd without a database reports of mail that it refused."""

from __future__ import annotations

from typing import Final

from mailkeep.domain.scope import Scope
from mailkeep_api.routing import Call, Routes
from mailkeep_api.schemas.refusals import RefusalsIn

routes: Final = Routes("/api/internal/refusals", tag="internal")


@routes.post("", scope=Scope.POLICY, audit="refusals.record", body=RefusalsIn, returns=None, status=204)
async def record_refusals(call: Call, body: RefusalsIn) -> None:
    """Add to what is told of each address. Items that name no address are left out."""
    await call.core.refusals.record(call.actor, [item.refusal() for item in body.items])
