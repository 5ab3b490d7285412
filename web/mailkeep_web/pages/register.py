"""/register: make an account, and go on to the log-in."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from mailkeep.errors import InvalidInput, RateExceeded
from mailkeep_web.forms import WHOLE_FORM, Form, read_form
from mailkeep_web.next_path import HOME
from mailkeep_web.routing import Routes, is_member
from mailkeep_web.visit import Visit, see_other

routes: Final = Routes()

_EMAIL: Final = "This is not an email address we can use. It looks like name@example.org."
_PASSWORD: Final = "Use at least 12 characters, and none of the well-known passwords: a few random words do well."  # noqa: S105  advice
_OTHER: Final = "Something in this form is not right. Check it and send it again."
_TOO_OFTEN: Final = "Too many accounts were asked for from here. Wait a while, then try again."


@routes.public("GET", "/register", audit="page.register")
async def show(visit: Visit) -> web.StreamResponse:
    if await is_member(visit):
        return see_other(HOME)
    return _page(visit, Form())


@routes.public("POST", "/register", audit="account.register")
async def register(visit: Visit) -> web.StreamResponse:
    """Leads to the log-in, which says something that is true whether the address had an account already or not."""
    if visit.settings.auth.registration == "closed":
        return _page(visit, Form(), status=403)
    form = await read_form(visit.request)
    try:
        await visit.core.accounts.sign_up(form.value("email"), form.value("password"), origin=visit.origin)
    except InvalidInput as error:
        return _page(visit, _corrected(form, error.field), status=422)
    except RateExceeded as error:
        response = _page(visit, form.with_error(WHOLE_FORM, _TOO_OFTEN), status=429)
        response.headers["Retry-After"] = str(error.retry_after_s)
        return response
    return see_other("/login?done=registered")


def _corrected(form: Form, field: str | None) -> Form:
    texts = {"email": _EMAIL, "password": _PASSWORD}
    return form.with_error(field, texts[field]) if field in texts else form.with_error(WHOLE_FORM, _OTHER)


def _page(visit: Visit, form: Form, *, status: int = 200) -> web.Response:
    return visit.page("register.html", {"form": form}, status=status)
