"""/admin/login: the door of the administration.

Administrators are who the API knows as such: whoever holds a service token of the scope `admin`. No account of a
customer is ever one, for anybody can register any e-mail address. The token stays in the browser for an hour.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from aiohttp import web

from mailkeep.domain.scope import Scope
from mailkeep.errors import NotAuthenticated
from mailkeep_api.auth import MAX_CREDENTIALS_CHARS
from mailkeep_api.keys import ACTOR
from mailkeep_web.cookies import ADMIN_PATH, clear_admin_token, set_admin_token
from mailkeep_web.forms import Form, read_form
from mailkeep_web.routing import Routes
from mailkeep_web.visit import AdminVisit, Visit, see_other

routes: Final = Routes()

# One text for a token that is wrong and for one that may less: it must not tell which tokens are in force.
_WRONG: Final = "This is no token of an administrator, or it has expired or was revoked."


@routes.public("GET", "/admin/login", audit="page.admin_login")
async def show(visit: Visit) -> web.StreamResponse:
    return visit.page("admin_login.html", {"form": Form()})


@routes.public("POST", "/admin/login", audit="admin.enter")
async def enter(visit: Visit) -> web.StreamResponse:
    form = await read_form(visit.request)
    token = form.value("token")
    try:
        actor = await visit.core.tokens.actor(token if len(token) <= MAX_CREDENTIALS_CHARS else "")
    except NotAuthenticated:
        return _refused(visit, form)
    visit.request[ACTOR] = replace(actor, origin=visit.origin)
    if Scope.ADMIN not in actor.scopes:
        return _refused(visit, form)
    response = see_other(ADMIN_PATH)
    set_admin_token(response, token, visit.settings)
    return response


@routes.admin("POST", "/admin/leave", audit="admin.leave")
async def leave(visit: AdminVisit) -> web.StreamResponse:
    response = see_other("/admin/login")
    clear_admin_token(response, visit.settings)
    return response


def _refused(visit: Visit, form: Form) -> web.Response:
    return visit.page("admin_login.html", {"form": form.with_error("token", _WRONG)}, status=401)
