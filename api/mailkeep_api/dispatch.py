"""From a request to a route's handler and back: authenticate, authorise, parse, one call, render.

This is the one place where the API decides whether a caller may do something at all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from aiohttp import web
from pydantic import BaseModel

from mailkeep.domain.scope import Actor, Scope
from mailkeep.errors import NotAllowed, NotFound
from mailkeep_api.auth import authenticate, nobody
from mailkeep_api.body import read_json
from mailkeep_api.compression import compressed
from mailkeep_api.etags import conditional, json_body
from mailkeep_api.idempotency import answered_once
from mailkeep_api.ids import is_id
from mailkeep_api.keys import CORE, SETTINGS
from mailkeep_api.noting import noted
from mailkeep_api.problems import CHALLENGE, NOT_ALLOWED, UNSUPPORTED_MEDIA_TYPE, RequestProblem
from mailkeep_api.rates.admission import admit
from mailkeep_api.routing import OWNER, PUBLIC, Access, Call, Raw, Route
from mailkeep_api.schemas.shapes import Query
from mailkeep_api.time_limit import in_time
from mailkeep_api.validation import validate, validate_query


def handler_of(route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """What aiohttp calls for a route."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return await noted(request, route.audit, _answer(request, route), quiet=route.is_quiet)

    return handle


async def _answer(request: web.Request, route: Route) -> web.StreamResponse:
    actor = nobody(request) if route.signed else await _authorise(request, route.scope)
    call = Call(core=request.app[CORE], settings=request.app[SETTINGS], actor=actor, request=request)
    arguments = await _arguments(request, route)

    async def answer() -> web.StreamResponse:
        return _render(call, route, await _worked_on(call, route, arguments))

    if route.idempotent:
        response = await answered_once(call, route, arguments.get("body"), answer)
    else:
        response = await answer()
    return response if route.secret else await compressed(request, response)


async def _worked_on(call: Call, route: Route, arguments: dict[str, Any]) -> BaseModel | web.StreamResponse | None:
    """What the handler returns, in time; what is not JSON goes out while it is made, and may last."""
    result = route.handler(call, **arguments)
    if isinstance(route.returns, Raw):
        return await result
    waits_s = getattr(arguments.get("query"), "wait", None) or 0
    return await in_time(result, call.settings.http.handler_timeout_s + waits_s)


async def _authorise(request: web.Request, needed: Scope | Access) -> Actor:
    """Raises NotAuthenticated; NotAllowed for a token where a session is needed; RequestProblem (403)."""
    if needed is PUBLIC:
        await admit(request, None)
        return nobody(request)
    actor = await authenticate(request)
    if isinstance(needed, Scope):
        _require(actor, needed)
    elif actor.session_id is None:
        raise NotAllowed("only for whoever logged in")
    elif needed is OWNER:
        _require(actor, Scope.ACCOUNT_WRITE)
    return actor


def _require(actor: Actor, scope: Scope) -> None:
    try:
        actor.require(scope)
    except NotAllowed as error:
        # RFC 6750 section 3.1: say which scope it takes.
        challenge = f'{CHALLENGE}, error="insufficient_scope", scope="{scope.value}"'
        headers = {"WWW-Authenticate": challenge}
        detail = f"This needs the scope {scope.value}."
        raise RequestProblem(replace(NOT_ALLOWED, detail=detail, headers=headers)) from error


async def _arguments(request: web.Request, route: Route) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    for name in route.path_parameters:
        arguments[name] = request.match_info[name]
        if not is_id(request.match_info[name]):
            raise NotFound(name)
    if route.query is not None:
        arguments["query"] = validate_query(route.query, request.query)
    elif request.query:
        validate_query(Query, request.query)  # it has no parameter: whoever sends one expects what will not happen
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise RequestProblem(UNSUPPORTED_MEDIA_TYPE)
    if route.body is not None:
        arguments["body"] = validate(route.body, await read_json(request))
    return arguments


def _render(call: Call, route: Route, result: BaseModel | web.StreamResponse | None) -> web.StreamResponse:
    if isinstance(result, BaseModel):
        result = web.Response(
            status=route.status, body=json_body(result), content_type="application/json", headers=call.reply_headers
        )
    elif result is None:
        result = web.Response(status=route.status, headers=call.reply_headers)
    # A download brings an ETag of its own (documents.send_download).
    if route.etag and result.etag is None and isinstance(result, web.Response):
        return conditional(call.request, result)
    return result
