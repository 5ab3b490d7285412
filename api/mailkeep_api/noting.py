"""What the audit log is told of a request that changed nothing: what was read, and what failed.

A change is recorded by whoever makes it, in its own transaction (`mailkeep.services.audit`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Final

from aiohttp import web

from mailkeep.domain.audit import DONE
from mailkeep.domain.scope import Actor
from mailkeep_api.auth import nobody
from mailkeep_api.idempotency import REPLAYED_HEADER
from mailkeep_api.ids import is_id
from mailkeep_api.keys import ACTION, ACTOR, CORE, ORIGIN
from mailkeep_api.problems import problem_of
from mailkeep_api.routing import READING

REPLAYED: Final = "replayed"
CLIENT_LEFT: Final = "client-left"  # some of it went out


async def noted(
    request: web.Request, action: str, answer: Awaitable[web.StreamResponse], *, quiet: bool
) -> web.StreamResponse:
    """The answer, and a record of it. `quiet`: when all went well there is nothing to record."""
    if not quiet:
        request[ACTION] = action
    try:
        response = await answer
    except (ConnectionError, asyncio.CancelledError):
        await _note(request, action, outcome=CLIENT_LEFT)
        raise
    except Exception as error:
        await _note(request, action, outcome=_outcome(error))
        raise
    if response.status >= 400:  # a form that is shown again
        await _note(request, action, outcome=f"http-{response.status}")
    elif not quiet and not _is_written(request):
        await _note(request, action, outcome=REPLAYED if REPLAYED_HEADER in response.headers else DONE)
    return response


async def note_stream(request: web.Request, response: web.StreamResponse) -> None:
    """A signal for `on_response_prepare`: what is streamed is recorded when it begins, for it may last."""
    action = request.get(ACTION)
    if action is not None and not isinstance(response, web.Response) and response.status < 400:
        await _note(request, action, outcome=DONE)


def _is_written(request: web.Request) -> bool:
    """Whether a change has brought its record. Reading is recorded also where it marks something as read."""
    return request[ORIGIN].written and request.method not in READING


async def _note(request: web.Request, action: str, *, outcome: str) -> None:
    actor = _actor(request)
    if not actor.origin.noted:
        await request.app[CORE].trail.note(actor, action, outcome=outcome, resource=_resource(request))


def _actor(request: web.Request) -> Actor:
    return request[ACTOR] if ACTOR in request else nobody(request)


def _outcome(error: Exception) -> str:
    return DONE if isinstance(error, web.HTTPRedirection) else problem_of(error).slug


def _resource(request: web.Request) -> str:
    """The last id in the path: what the request is about."""
    ids = [value for value in request.match_info.values() if is_id(value)]
    return ids[-1] if ids else ""
