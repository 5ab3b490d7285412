"""/admin/tokens: the tokens of our own services, and of administrators."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from mailkeep.domain.scope import SERVICE_SCOPES, Scope
from mailkeep.errors import InvalidInput
from mailkeep_web.cookies import set_admin_token
from mailkeep_web.forms import Form, read_form
from mailkeep_web.routing import Routes
from mailkeep_web.token_forms import choices, corrected, new_token_form, shown_once, wanted_overlap, wanted_token
from mailkeep_web.visit import AdminVisit, see_other

routes: Final = Routes()

_OFFERED: Final = tuple(scope for scope in Scope if scope in SERVICE_SCOPES)


@routes.admin("GET", "/admin/tokens", audit="token.list")
async def show(visit: AdminVisit) -> web.StreamResponse:
    return await _page(visit, new_token_form(scope=Scope.POLICY))


@routes.admin("POST", "/admin/tokens", audit="token.create")
async def create(visit: AdminVisit) -> web.StreamResponse:
    form = await read_form(visit.request)
    try:
        wanted = wanted_token(form, _OFFERED)
        text, token = await visit.core.service_tokens.create(
            visit.actor, wanted.name, wanted.scopes, expires_at=wanted.expires_at
        )
    except InvalidInput as error:
        return await _page(visit, corrected(form, error), status=422)
    return visit.admin_page("admin_token_made.html", shown_once(visit, text, token, rotated=False), status=201)


@routes.admin("POST", "/admin/tokens/{token_id}/rotate", audit="token.rotate")
async def rotate(visit: AdminVisit) -> web.StreamResponse:
    """Whoever rotates the token with which they entered goes on with the new one."""
    form = await read_form(visit.request)
    text, token = await visit.core.service_tokens.rotate(visit.actor, _token_id(visit), overlap=wanted_overlap(form))
    response = visit.admin_page("admin_token_made.html", shown_once(visit, text, token, rotated=True))
    if token.id == visit.actor.token_id:
        set_admin_token(response, text, visit.settings)
    return response


@routes.admin("POST", "/admin/tokens/{token_id}/revoke", audit="token.revoke")
async def revoke(visit: AdminVisit) -> web.StreamResponse:
    await visit.core.service_tokens.revoke(visit.actor, _token_id(visit))
    return see_other("/admin/tokens?done=revoked")


def _token_id(visit: AdminVisit) -> str:
    return visit.request.match_info["token_id"]


async def _page(visit: AdminVisit, form: Form, *, status: int = 200) -> web.Response:
    context = {
        "tokens": await visit.core.service_tokens.list(visit.actor),
        "own_id": visit.actor.token_id,
        "offered": _OFFERED,
        "form": form,
        "done": visit.request.query.get("done"),
        **choices(),
    }
    return visit.admin_page("admin_tokens.html", context, status=status)
