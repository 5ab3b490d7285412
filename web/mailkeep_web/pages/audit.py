"""/audit: who did what with the account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from mailkeep_api.audit_files import send_audit_file
from mailkeep_api.origin import refuse_other_sites
from mailkeep_api.problems import INVALID, RequestProblem
from mailkeep_api.schemas.audit import AuditOut
from mailkeep_web.audit_filter import choices, read_search
from mailkeep_web.audit_words import ACTIONS, OUTCOMES
from mailkeep_web.routing import Routes
from mailkeep_web.visit import MemberVisit

routes: Final = Routes()

# What is nobody's deed, or the administration's own.
_OFFERED: Final = {
    name: words
    for name, words in ACTIONS.items()
    if name.split(".")[0] not in {"page", "health", "recipients", "refusals", "reference", "keys"}
    and name not in {"admin.enter", "admin.leave", "admin.stats", "incident.affected"}
}


@routes.member("GET", "/audit", audit="audit.list")
async def show(visit: MemberVisit) -> web.StreamResponse:
    search = read_search(visit.request, before=visit.id("before"))
    records, before = ([], None) if search.query is None else await visit.core.audit.list(visit.actor, search.query)
    context = {
        "search": search,
        "records": [AuditOut.of(record) for record in records],
        "next_before": before,
        "is_first": "before" not in visit.request.query,
        "names": await _names(visit),
        "actions": choices(_OFFERED, search.form.value("action")),
        "outcomes": choices(OUTCOMES, search.form.value("outcome")),
    }
    return await visit.member_page("audit.html", context, status=200 if search.query is not None else 422)


@routes.member("GET", "/audit/export", audit="audit.export")
async def export(visit: MemberVisit) -> web.StreamResponse:
    """What the filters find, all of it, as CSV or as a JSON object a line. Raises RequestProblem (422)."""
    refuse_other_sites(visit.request, visit.settings)
    search = read_search(visit.request, before=None)
    if search.query is None:
        raise RequestProblem(INVALID)
    records = visit.core.audit.export(visit.actor, search.query)
    return await send_audit_file(visit.request, records, as_csv=visit.request.query.get("format") != "jsonl")


async def _names(visit: MemberVisit) -> Mapping[str, str]:
    """Whom a reader knows: themselves, and their tokens."""
    names = {token.id: f"Token “{token.name}”" for token in await visit.core.tokens.list(visit.actor)}
    return {**names, visit.actor.user_id or "": "You"}
