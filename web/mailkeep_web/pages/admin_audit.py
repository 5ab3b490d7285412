"""/admin/audit: everything that was done here, by everybody."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from mailkeep_api.schemas.admin import PlatformAuditOut
from mailkeep_web.audit_filter import PLATFORM_FIELDS, choices, read_search
from mailkeep_web.audit_words import ACTIONS, OUTCOMES
from mailkeep_web.routing import Routes
from mailkeep_web.visit import AdminVisit

routes: Final = Routes()


@routes.admin("GET", "/admin/audit", audit="admin.audit_list")
async def show(visit: AdminVisit) -> web.StreamResponse:
    search = read_search(visit.request, before=visit.id("before"), fields=PLATFORM_FIELDS)
    records, before = (
        ([], None)
        if search.query is None
        else await visit.core.administration.audit(
            visit.actor, search.query, account_id=search.form.value("account") or None
        )
    )
    context = {
        "search": search,
        "records": [PlatformAuditOut.of(record) for record in records],
        "next_before": before,
        "is_first": "before" not in visit.request.query,
        "names": {visit.actor.token_id: "You"},
        "actions": choices(ACTIONS, search.form.value("action")),
        "outcomes": choices(OUTCOMES, search.form.value("outcome")),
    }
    return visit.admin_page("admin_audit.html", context, status=200 if search.query is not None else 422)
