"""/admin: accounts, what they use, and what may be done to them. Nobody's mail is read here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aiohttp import web
from pydantic import ValidationError

from mailkeep.domain.account import AccountStatus
from mailkeep.domain.administration import AccountFilter
from mailkeep.errors import InvalidInput
from mailkeep_api.schemas.admin import AccountsQuery
from mailkeep_web.forms import Form, read_form
from mailkeep_web.links_of_lists import with_query
from mailkeep_web.routing import Routes
from mailkeep_web.visit import AdminVisit, see_other

routes: Final = Routes()

_FIELDS: Final = ("email", "address", "status", "tier")
_TEXTS: Final = {
    "email": "Write the owner's whole email address.",
    "address": "Write a whole address that receives mail.",
    "status": "Choose one of these.",
    "tier": "Choose one of these.",
}
_CONFIRM: Final = "Type the owner's email address, to show that you mean this account."


@dataclass(frozen=True, slots=True)
class _Search:
    form: Form
    wanted: AccountFilter | None


@routes.admin("GET", "/admin", audit="admin.account_list")
async def find(visit: AdminVisit) -> web.StreamResponse:
    search = _read_search(visit)
    found, before = (
        ([], None) if search.wanted is None else await visit.core.administration.find(visit.actor, search.wanted)
    )
    context = {
        "form": search.form,
        "accounts": found,
        "older": with_query("/admin", {**search.form.values, "before": before}) if before else None,
        "is_filtered": any(search.form.values.values()),
        "tiers": {name: name.capitalize() for name in sorted(visit.settings.tiers)},
    }
    return visit.admin_page("admin_accounts.html", context, status=200 if search.wanted is not None else 422)


@routes.admin("GET", "/admin/accounts/{account_id}", audit="admin.account_view")
async def show(visit: AdminVisit) -> web.StreamResponse:
    return await _page(visit, Form())


@routes.admin("POST", "/admin/accounts/{account_id}/tier", audit="admin.account_update")
async def change_tier(visit: AdminVisit) -> web.StreamResponse:
    form = await read_form(visit.request)
    try:
        await visit.core.administration.change(visit.actor, _account_id(visit), tier=form.value("tier"))
    except InvalidInput:
        return await _page(visit, form.with_error("tier", _TEXTS["tier"]), status=422)
    return _done(visit, "tier")


@routes.admin("POST", "/admin/accounts/{account_id}/suspend", audit="admin.account_update")
async def suspend(visit: AdminVisit) -> web.StreamResponse:
    await visit.core.administration.change(visit.actor, _account_id(visit), status=AccountStatus.SUSPENDED)
    return _done(visit, "suspended")


@routes.admin("POST", "/admin/accounts/{account_id}/reactivate", audit="admin.account_update")
async def reactivate(visit: AdminVisit) -> web.StreamResponse:
    await visit.core.administration.change(visit.actor, _account_id(visit), status=AccountStatus.ACTIVE)
    return _done(visit, "reactivated")


@routes.admin("POST", "/admin/accounts/{account_id}/end-sessions", audit="incident.sessions_revoked")
async def end_sessions(visit: AdminVisit) -> web.StreamResponse:
    await visit.core.incident.revoke_sessions(visit.actor, _account_id(visit))
    return _done(visit, "sessions")


@routes.admin("POST", "/admin/accounts/{account_id}/revoke-tokens", audit="incident.tokens_revoked")
async def revoke_tokens(visit: AdminVisit) -> web.StreamResponse:
    await visit.core.incident.revoke_tokens(visit.actor, _account_id(visit))
    return _done(visit, "tokens")


@routes.admin("POST", "/admin/accounts/{account_id}/delete", audit="account.delete")
async def delete(visit: AdminVisit) -> web.StreamResponse:
    """The receipt is the answer, as it is for an owner."""
    form = await read_form(visit.request)
    entry = await visit.core.administration.get(visit.actor, _account_id(visit))
    if form.value("email").lower() != (entry.email or entry.id):
        return await _page(visit, form.with_error("email", _CONFIRM), status=422)
    receipt = await visit.core.deletion.delete_any(visit.actor, entry.id)
    return visit.admin_page("admin_deleted.html", {"receipt": receipt})


@routes.admin("GET", "/admin/stats", audit="admin.stats")
async def stats(visit: AdminVisit) -> web.StreamResponse:
    totals = await visit.core.administration.totals(visit.actor)
    return visit.admin_page("admin_stats.html", {"totals": totals, "accounts": sorted(totals.accounts.items())})


def _read_search(visit: AdminVisit) -> _Search:
    query = visit.request.query
    form = Form(values={name: query.get(name, "").strip() for name in _FIELDS})
    before = visit.id("before")
    try:
        asked = AccountsQuery.model_validate({name: value for name, value in form.values.items() if value})
    except ValidationError as error:
        for each in error.errors():
            form = form.with_error(str(each["loc"][0]), _TEXTS[str(each["loc"][0])])
        return _Search(form, None)
    wanted = AccountFilter(
        email=asked.email.lower() if asked.email else None,
        address=asked.address.lower() if asked.address else None,
        status=AccountStatus(asked.status) if asked.status else None,
        tier=asked.tier,
        before=before,
    )
    return _Search(form, wanted)


def _account_id(visit: AdminVisit) -> str:
    return visit.request.match_info["account_id"]


def _done(visit: AdminVisit, what: str) -> web.Response:
    return see_other(f"/admin/accounts/{_account_id(visit)}?done={what}")


async def _page(visit: AdminVisit, form: Form, *, status: int = 200) -> web.Response:
    context = {
        "customer": await visit.core.administration.get(visit.actor, _account_id(visit)),
        "tiers": sorted(visit.settings.tiers),
        "form": form,
        "done": visit.request.query.get("done"),
    }
    return visit.admin_page("admin_account.html", context, status=status)
