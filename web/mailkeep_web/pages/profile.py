"""/settings: who is logged in, and their password."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from mailkeep.errors import InvalidInput, RateExceeded
from mailkeep_web.forms import WHOLE_FORM, Form, read_form
from mailkeep_web.routing import Routes
from mailkeep_web.visit import MemberVisit, see_other

routes: Final = Routes()

_TEXTS: Final = {
    "current": "This is not your current password.",
    "new": "Use at least 12 characters, and none of the well-known passwords: a few random words do well.",
}
_OTHER: Final = "Something in this form is not right. Check it and send it again."
_TOO_OFTEN: Final = "Too many attempts. Wait a while, then try again."


@routes.member("GET", "/settings", audit="account.view")
async def show(visit: MemberVisit) -> web.StreamResponse:
    return await _page(visit, Form())


@routes.member("POST", "/settings/password", audit="account.password")
async def change_password(visit: MemberVisit) -> web.StreamResponse:
    """A wrong current password counts as a failed log-in."""
    form = await read_form(visit.request)
    try:
        await visit.core.accounts.change_password(visit.actor, form.value("current"), form.value("new"))
    except InvalidInput as error:
        field = error.field if error.field in _TEXTS else WHOLE_FORM
        return await _page(visit, form.with_error(field, _TEXTS.get(field, _OTHER)), status=422)
    except RateExceeded as error:
        response = await _page(visit, form.with_error(WHOLE_FORM, _TOO_OFTEN), status=429)
        response.headers["Retry-After"] = str(error.retry_after_s)
        return response
    return see_other("/settings?done=password")


async def _page(visit: MemberVisit, form: Form, *, status: int = 200) -> web.Response:
    account = await visit.core.accounts.get(visit.actor)
    context = {"account": account, "form": form, "done": visit.request.query.get("done")}
    return await visit.member_page("profile.html", context, status=status)
