"""/healthz and /readyz: for whoever watches the process, and for the load balancer."""

from __future__ import annotations

from typing import Final

from mailkeep_api.routing import PUBLIC, Call, Routes
from mailkeep_api.schemas.shapes import StatusOut

routes: Final = Routes("", tag="operation")


@routes.get("/healthz", scope=PUBLIC, audit="health.live", returns=StatusOut)
async def get_health(call: Call) -> StatusOut:  # noqa: ARG001  every handler takes its call
    """The process answers."""
    return StatusOut()


@routes.get("/readyz", scope=PUBLIC, audit="health.ready", returns=StatusOut)
async def get_readiness(call: Call) -> StatusOut:
    """The process answers, and so does its database; 503 otherwise."""
    async with call.core.database.read() as connection:
        await connection.exec_driver_sql("SELECT 1")
    return StatusOut()
