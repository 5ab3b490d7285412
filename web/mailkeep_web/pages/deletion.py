"""/settings/delete: the end of an account, asked twice, with a receipt."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from mailkeep.domain.deletion import KEPT
from mailkeep.domain.scope import Scope
from mailkeep.errors import InvalidInput, NotAllowed, RateExceeded
from mailkeep_web.cookies import clear_session
from mailkeep_web.forms import WHOLE_FORM, Form, read_form
from mailkeep_web.routing import Routes
from mailkeep_web.visit import MemberVisit

routes: Final = Routes()

_PASSWORD: Final = "This is not your password."  # noqa: S105  advice
_EMAIL: Final = "Type the email address of the account, to show that you mean this one."
_TOO_OFTEN: Final = "Too many attempts. Wait a while, then try again."


@routes.member("GET", "/settings/delete", audit="account.delete_page")
async def show(visit: MemberVisit) -> web.StreamResponse:
    return await _page(visit, Form())


@routes.member("POST", "/settings/delete", audit="account.delete")
async def delete(visit: MemberVisit) -> web.StreamResponse:
    """The receipt is the answer itself: nobody could log in to fetch it."""
    form = await read_form(visit.request)
    visit.actor.require(Scope.ACCOUNT_WRITE)
    user = await visit.core.accounts.user(visit.actor)
    if form.value("email").lower() != user.email:
        return await _page(visit, form.with_error("email", _EMAIL), status=422)
    try:
        receipt = await visit.core.deletion.delete_own(visit.actor, form.value("password"))
    except (InvalidInput, NotAllowed):
        return await _page(visit, form.with_error("password", _PASSWORD), status=422)
    except RateExceeded as error:
        response = await _page(visit, form.with_error(WHOLE_FORM, _TOO_OFTEN), status=429)
        response.headers["Retry-After"] = str(error.retry_after_s)
        return response
    answer = visit.page("deleted.html", {"receipt": receipt})
    clear_session(answer, visit.settings)
    return answer


async def _page(visit: MemberVisit, form: Form, *, status: int = 200) -> web.Response:
    """Raises NotAllowed for whoever is not the owner."""
    context = {"form": form, "expected": await visit.core.export.expected(visit.actor), "kept": KEPT}
    return await visit.member_page("deletion.html", context, status=status)
