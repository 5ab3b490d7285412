"""Errors as people see them: a page that says what happened and where to go."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from mailkeep_api.keys import REQUEST_ID, SETTINGS
from mailkeep_api.problems import Problem
from mailkeep_web.cookies import clear_session
from mailkeep_web.next_path import HOME, login_url
from mailkeep_web.rendering import TEMPLATES
from mailkeep_web.visit import see_other

# Title and advice by kind of problem, where the status alone says too little.
_TEXTS_BY_KIND: Final = {
    "quarantined": (
        "This is blocked",
        "Malware was found in it, so that it is given to nobody. The message's page shows what can be read safely.",
    ),
}
# By status; a status that is not here is described by the nearest hundred.
_TEXTS: Final = {
    400: ("That request made no sense to us", "Go back and try again from the page you came from."),
    403: (
        "That is not allowed",
        "A form has to be sent from our own page, in a browser that says so. Open the page anew and try again.",
    ),
    404: (
        "There is nothing here",
        "The address is wrong, or what was here is gone: messages are deleted when their time is over.",
    ),
    405: ("This page does not do that", "Go back and try again from the page you came from."),
    413: ("That was too much", "What you sent is larger than we take. Shorten it and send it again."),
    429: ("Too many requests for now", "Wait a moment, then try again."),
    500: (
        "Something went wrong on our side",
        "It is not your fault. Try again; if it stays, tell us the number below.",
    ),
    503: ("We cannot answer just now", "Nothing is lost: mail waits until we are back. Try again in a moment."),
}


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
        "path": request.path,
        "settings": request.app[SETTINGS],
        "user": None,
        "scopes": frozenset(),
    }
    response = request.app[TEMPLATES].response("error.html", context, status=problem.status)
    response.headers.update({name: value for name, value in problem.headers.items() if name != "WWW-Authenticate"})
    return response


def _to_login(request: web.Request) -> web.Response:
    """A page sends its visitor to the log-in and back; a part of a page makes the browser go there."""
    target = login_url(request.path_qs if request.method == "GET" else HOME)
    if "HX-Request" in request.headers:
        response = web.Response(status=401, headers={"HX-Redirect": "/login"})
    elif request.headers.get("Accept") == "text/event-stream":
        response = web.Response(status=401)
    else:
        response = see_other(target)
    clear_session(response, request.app[SETTINGS])
    return response
