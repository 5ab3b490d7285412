"""/openapi.json: this API, described for programs."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from mailkeep_api.keys import OPENAPI
from mailkeep_api.routing import PUBLIC, Call, Raw, Routes

routes: Final = Routes("/api/v1", tag="reference")


@routes.get("/openapi.json", scope=PUBLIC, audit="reference.view", returns=Raw(("application/json",)))
async def get_openapi(call: Call) -> web.Response:
    """The OpenAPI 3.1 document."""
    body = call.request.app[OPENAPI]
    return web.Response(body=body, content_type="application/json", headers={"Cache-Control": "public, max-age=300"})
