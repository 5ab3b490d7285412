"""The outermost layer of every request: its id, its one log event, and its errors as problems."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from mailkeep.domain.ids import new_id
from mailkeep_api.client import client_ip, origin_of
from mailkeep_api.keys import ACTOR, ORIGIN, PAGE_ERROR, REQUEST_ID
from mailkeep_api.problems import problem_of, problem_response

# Where errors are problems whoever asks; elsewhere the pages show them in their own way.
_FOR_PROGRAMS: Final = ("/api/", "/problems/", "/healthz", "/readyz")

log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger()


@web.middleware
async def edge(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Wraps every route, known or not, of the API and of the pages.

    The request's id is always ours, whatever X-Request-Id says and whoever sends it: the audit log goes by it. A proxy
    that wants it in its own log takes it from the answer.
    """
    request[REQUEST_ID] = new_id()
    request[ORIGIN] = origin_of(request)
    started = asyncio.get_running_loop().time()
    status = 499  # nginx's code for a client that left before it was answered
    with structlog.contextvars.bound_contextvars(request_id=request[REQUEST_ID]):
        try:
            response = await _answer(request, handler)
            status = response.status
        except web.HTTPException as redirect:
            status = redirect.status
            raise
        finally:
            _log_access(request, status, asyncio.get_running_loop().time() - started)
    return response


async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ConnectionError:
        raise  # the client is gone: aiohttp closes
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return await _error_response(request, error)
    except Exception as error:  # this is the room's edge
        if request.writer.output_size > 0:
            log.exception("http.answer_broken")
            raise ConnectionAbortedError from error  # part of an answer is out: all that is left is to close
        return await _error_response(request, error)


async def _error_response(request: web.Request, error: Exception) -> web.StreamResponse:
    problem = problem_of(error)
    if problem.status == 500:
        log.error("http.failed", exc_info=error)
    page_error = request.app.get(PAGE_ERROR)
    if page_error is not None and not request.path.startswith(_FOR_PROGRAMS):
        return await page_error(request, problem)
    return problem_response(problem, request[REQUEST_ID])


def _log_access(request: web.Request, status: int, duration_s: float) -> None:
    """The route as it was declared, never the path or the query: ids, addresses and tokens stay out of the log."""
    resource = request.match_info.route.resource
    actor = request.get(ACTOR)
    log.info(
        "http.request",
        method=request.method[:16],
        route=resource.canonical if resource is not None else None,
        status=status,
        duration_ms=round(duration_s * 1000, 1),
        client_ip=client_ip(request),
        account_id=actor.account_id if actor is not None else None,
    )
