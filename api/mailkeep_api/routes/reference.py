"""/openapi.json: this API, described for programs; /problems/: what can go wrong with it, explained."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

from aiohttp import web

from mailkeep.errors import NotFound
from mailkeep_api.keys import OPENAPI
from mailkeep_api.problem_pages import explanation_of, page_of
from mailkeep_api.routing import PUBLIC, Call, Raw, Routes

routes: Final = Routes("/api/v1", tag="reference")


@routes.get("/openapi.json", scope=PUBLIC, audit="reference.view", returns=Raw(("application/json",)))
async def get_openapi(call: Call) -> web.Response:
    """The OpenAPI 3.1 document."""
    body = call.request.app[OPENAPI]
    return web.Response(body=body, content_type="application/json", headers={"Cache-Control": "public, max-age=300"})


problem_routes: Final = Routes("/problems", tag="reference")


@problem_routes.get(
    "/{slug}", scope=PUBLIC, audit="reference.view", returns=Raw(("application/json", "text/html")), etag=True
)
async def get_problem(call: Call, slug: str) -> web.Response:
    """What a kind of problem means and what to do: where the `type` of a problem leads. HTML for browsers."""
    found = explanation_of(slug)
    if found is None:
        raise NotFound("no such kind of problem")
    title, status, explanation = found
    headers = {"Cache-Control": "public, max-age=300", "Vary": "Accept"}
    if "text/html" in call.request.headers.get("Accept", ""):
        return web.Response(text=page_of(title, status, explanation), content_type="text/html", headers=headers)
    members = {"type": f"/problems/{slug}", "title": title, "status": status, **asdict(explanation)}
    return web.json_response(members, headers=headers)
