"""Errors as people see them: a page that says what happened and where to go."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from mailkeep.domain.account import User
from mailkeep.errors import MailkeepError
from mailkeep_api.keys import ACTOR, CORE, REQUEST_ID, SETTINGS
from mailkeep_api.problems import Problem
from mailkeep_web.cookies import ADMIN_PATH, clear_admin_token, clear_session
from mailkeep_web.next_path import HOME, login_url, safe_next
from mailkeep_web.rendering import TEMPLATES
from mailkeep_web.routing import session_user
from mailkeep_web.visit import Visit, see_other

ADMIN_LOGIN: Final = f"{ADMIN_PATH}/login"
# Title and advice by kind of problem, where the status alone says too little.
_TEXTS_BY_KIND: Final = {
    "quarantined": (
        "This is blocked",
        "Malware was found in it, so that it is given to nobody. The message's page shows what can be read safely.",
    ),
}
# What happened, and what to do, by status; one that is not here is described by the nearest hundred.
_TEXTS: Final = {
    400: ("That request made no sense to us", "Go back and try again from the page you came from."),
    403: (
        "That is not allowed",
        "Your role does not include this, or the form did not come from our own page: open that page and try again.",
    ),
    404: (
        "There is nothing here",
        "The address is wrong, or what was here is gone: messages are deleted when their time is over.",
    ),
    405: (
        "This page does not do that",
        "The address is right, but it was asked in a way that it does not answer. Go back to the page you came from.",
    ),
    413: ("That was too much", "What you sent is larger than we take. Shorten it and send it again."),
    429: ("Too many requests for now", "Nothing is wrong with what you asked; it was asked too often. Wait a moment."),
    500: (
        "Something went wrong on our side",
        "It is not your fault. Try again; if it stays, tell us the number below.",
    ),
    503: ("We cannot answer just now", "Nothing is lost: mail waits until we are back. Try again in a moment."),
}
_MAY_PASS: Final = frozenset({429, 500, 502, 503, 504})  # asking once more may help


async def page_error(request: web.Request, problem: Problem) -> web.StreamResponse:
    """The answer to a request for a page that failed."""
    if problem.status == 401:
        return _to_login(request)
    title, advice = (
        _TEXTS_BY_KIND.get(problem.slug) or _TEXTS.get(problem.status) or _TEXTS[500 if problem.status >= 500 else 400]
    )
    context = {
        "status": problem.status,
        "title": title,
        "advice": advice,
        "request_id": request.get(REQUEST_ID, ""),
        "again": _again(request) if problem.status in _MAY_PASS else "",
        "retry_after_s": int(problem.headers.get("Retry-After", 0)),
        "path": request.path,
        "settings": request.app[SETTINGS],
        "user": await _user(request) if problem.status < 500 else None,
        "scopes": request[ACTOR].scopes if ACTOR in request else frozenset(),
        "usage_notices": (),
    }
    response = request.app[TEMPLATES].response("error.html", context, status=problem.status)
    response.headers.update({name: value for name, value in problem.headers.items() if name != "WWW-Authenticate"})
    return response


def _again(request: web.Request) -> str:
    """Where the same can be asked once more: what was read, and only on this origin."""
    return safe_next(request.path_qs) if request.method == "GET" else ""


async def _user(request: web.Request) -> User | None:
    """Who is logged in, so that the page keeps their way back; nobody when that cannot be told now."""
    try:
        return await session_user(Visit(request, request.app[CORE], request.app[SETTINGS]))
    except MailkeepError:
        return None


def _to_login(request: web.Request) -> web.Response:
    """A page sends its visitor to the log-in and back; a part of a page makes the browser go there."""
    if request.path == ADMIN_PATH or request.path.startswith(f"{ADMIN_PATH}/"):
        response = see_other(ADMIN_LOGIN)
        clear_admin_token(response, request.app[SETTINGS])
        return response
    target = login_url(request.path_qs if request.method == "GET" else HOME)
    if "HX-Request" in request.headers:
        response = web.Response(status=401, headers={"HX-Redirect": "/login"})
    elif request.headers.get("Accept") == "text/event-stream":
        response = web.Response(status=401)
    else:
        response = see_other(target)
    clear_session(response, request.app[SETTINGS])
    return response
