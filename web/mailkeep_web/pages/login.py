"""/login and /logout."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from mailkeep.errors import InvalidInput, NotAuthenticated, RateExceeded
from mailkeep_web.cookies import clear_session, set_session
from mailkeep_web.forms import WHOLE_FORM, Form, read_form
from mailkeep_web.next_path import safe_next
from mailkeep_web.routing import Routes, is_member
from mailkeep_web.visit import MemberVisit, Visit, see_other

routes: Final = Routes()

# One text for an unknown address and for a wrong password: it must not tell who has an account.
_WRONG: Final = "The email address or the password is not right."
_TOO_LONG: Final = "No password is that long."
_TOO_OFTEN: Final = "Too many attempts. Wait a while, then try again."


@routes.public("GET", "/login", audit="page.login")
async def show(visit: Visit) -> web.StreamResponse:
    wanted = safe_next(visit.request.query.get("next"))
    if await is_member(visit):
        return see_other(wanted)
    return _page(visit, Form(values={"next": wanted}))


@routes.public("POST", "/login", audit="session.open")
async def log_in(visit: Visit) -> web.StreamResponse:
    form = await read_form(visit.request)
    try:
        user = await visit.core.accounts.authenticate(form.value("email"), form.value("password"), origin=visit.origin)
    except InvalidInput:
        return _page(visit, form.with_error("password", _TOO_LONG), status=422)
    except NotAuthenticated:
        return _page(visit, form.with_error(WHOLE_FORM, _WRONG), status=401)
    except RateExceeded as error:
        response = _page(visit, form.with_error(WHOLE_FORM, _TOO_OFTEN), status=429)
        response.headers["Retry-After"] = str(error.retry_after_s)
        return response
    response = see_other(safe_next(form.value("next")))
    set_session(response, await visit.core.sessions.open(user, origin=visit.origin), visit.settings)
    return response


@routes.member("POST", "/logout", audit="session.close")
async def log_out(visit: MemberVisit) -> web.StreamResponse:
    await visit.core.sessions.close(visit.actor)
    response = see_other("/login?done=logged-out")
    clear_session(response, visit.settings)
    return response


def _page(visit: Visit, form: Form, *, status: int = 200) -> web.Response:
    context = {"form": form, "next": safe_next(form.value("next")), "done": visit.request.query.get("done")}
    return visit.page("login.html", context, status=status)
