"""/tokens: what programs authenticate with."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from mailkeep.domain.scope import GRANTABLE_SCOPES, Scope
from mailkeep.errors import InvalidInput, LimitReached
from mailkeep_web.forms import WHOLE_FORM, Form, read_form
from mailkeep_web.routing import Routes
from mailkeep_web.token_forms import choices, corrected, new_token_form, shown_once, wanted_overlap, wanted_token
from mailkeep_web.visit import MemberVisit, see_other

routes: Final = Routes()

_LIMIT: Final = "An account has 50 tokens at most. Revoke one that nobody uses to make room."


@routes.member("GET", "/tokens", audit="token.list")
async def show(visit: MemberVisit) -> web.StreamResponse:
    return await _page(visit, new_token_form(scope=Scope.MESSAGES_READ))


@routes.member("POST", "/tokens", audit="token.create")
async def create(visit: MemberVisit) -> web.StreamResponse:
    """The answer shows the token: it is kept nowhere from where a next page could fetch it."""
    form = await read_form(visit.request)
    try:
        wanted = wanted_token(form, _offered(visit))
        text, token = await visit.core.tokens.create(
            visit.actor, wanted.name, wanted.scopes, expires_at=wanted.expires_at
        )
    except LimitReached:
        return await _page(visit, form.with_error(WHOLE_FORM, _LIMIT), status=422)
    except InvalidInput as error:
        return await _page(visit, corrected(form, error), status=422)
    return await visit.member_page("token_made.html", shown_once(visit, text, token, rotated=False), status=201)


@routes.member("POST", "/tokens/{token_id}/rotate", audit="token.rotate")
async def rotate(visit: MemberVisit) -> web.StreamResponse:
    form = await read_form(visit.request)
    text, token = await visit.core.tokens.rotate(visit.actor, _token_id(visit), overlap=wanted_overlap(form))
    return await visit.member_page("token_made.html", shown_once(visit, text, token, rotated=True))


@routes.member("POST", "/tokens/{token_id}/revoke", audit="token.revoke")
async def revoke(visit: MemberVisit) -> web.StreamResponse:
    await visit.core.tokens.revoke(visit.actor, _token_id(visit))
    return see_other("/tokens?done=revoked")


def _token_id(visit: MemberVisit) -> str:
    return visit.request.match_info["token_id"]


def _offered(visit: MemberVisit) -> list[Scope]:
    """Nobody gives a token what they may not do themselves."""
    return [scope for scope in Scope if scope in visit.actor.scopes & GRANTABLE_SCOPES]


async def _page(visit: MemberVisit, form: Form, *, status: int = 200) -> web.Response:
    context = {
        "tokens": await visit.core.tokens.list(visit.actor),
        "offered": _offered(visit),
        "form": form,
        "done": visit.request.query.get("done"),
        **choices(),
    }
    return await visit.member_page("tokens.html", context, status=status)
