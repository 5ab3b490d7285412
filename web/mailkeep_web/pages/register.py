"""/register: make an account, and be logged in to it."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from mailkeep.domain.account import Registration
from mailkeep.errors import Conflict, InvalidInput
from mailkeep_web.cookies import set_session
from mailkeep_web.forms import WHOLE_FORM, Form, read_form
from mailkeep_web.next_path import HOME
from mailkeep_web.routing import Routes, is_member
from mailkeep_web.visit import Visit, see_other

routes: Final = Routes()

_EMAIL: Final = "This is not an email address we can use. It looks like name@example.org."
_TAKEN: Final = "There is an account with this email address already. Log in instead."
_PASSWORD: Final = "Use at least 12 characters, and none of the well-known passwords: a few random words do well."  # noqa: S105  advice
_OTHER: Final = "Something in this form is not right. Check it and send it again."


@routes.public("GET", "/register", audit="page.register")
async def show(visit: Visit) -> web.StreamResponse:
    if await is_member(visit):
        return see_other(HOME)
    return _page(visit, Form())


@routes.public("POST", "/register", audit="account.register")
async def register(visit: Visit) -> web.StreamResponse:
    if visit.settings.auth.registration == "closed":
        return _page(visit, Form(), status=403)
    form = await read_form(visit.request)
    registration = await _register(visit, form)
    if isinstance(registration, Form):
        return _page(visit, registration, status=422)
    response = see_other(HOME)
    set_session(response, await visit.core.sessions.open(registration.user, origin=visit.origin), visit.settings)
    return response


async def _register(visit: Visit, form: Form) -> Registration | Form:
    """The new account, or the form with what is wrong in it."""
    try:
        return await visit.core.accounts.register(form.value("email"), form.value("password"), origin=visit.origin)
    except Conflict:
        return form.with_error("email", _TAKEN)
    except InvalidInput as error:
        texts = {"email": _EMAIL, "password": _PASSWORD}
        return form.with_error(error.field, texts[error.field]) if error.field in texts else _unclear(form)


def _unclear(form: Form) -> Form:
    return form.with_error(WHOLE_FORM, _OTHER)


def _page(visit: Visit, form: Form, *, status: int = 200) -> web.Response:
    return visit.page("register.html", {"form": form}, status=status)
