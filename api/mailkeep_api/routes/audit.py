"""/audit: who did what with the account."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from mailkeep.domain.scope import Scope
from mailkeep_api.audit_files import send_audit_file
from mailkeep_api.links import link_next
from mailkeep_api.routing import Call, Raw, Routes
from mailkeep_api.schemas.audit import AuditExportQuery, AuditList, AuditListQuery, AuditOut
from mailkeep_api.schemas.shapes import MAX_PAGE

routes: Final = Routes("/api/v1/audit", tag="audit")


@routes.get("", scope=Scope.AUDIT_READ, audit="audit.list", query=AuditListQuery, returns=AuditList)
async def list_audit(call: Call, query: AuditListQuery) -> AuditList:
    """Everything that was done with your account, reads and failures included, newest first.

    It is complete after a second at most, and kept for as long as there is a Mailkeep here.
    """
    page, before = await call.core.audit.list(call.actor, query.query(limit=query.limit, before=query.before))
    link_next(call, before=before)
    return AuditList(items=tuple(map(AuditOut.of, page)), next=before)


@routes.get(
    "/export",
    scope=Scope.AUDIT_READ,
    audit="audit.export",
    query=AuditExportQuery,
    returns=Raw(("application/jsonl", "text/csv")),
)
async def export_audit(call: Call, query: AuditExportQuery) -> web.StreamResponse:
    """The same as a file: a JSON object a line, or CSV in which nothing is taken for a formula."""
    records = call.core.audit.export(call.actor, query.query(limit=MAX_PAGE))
    return await send_audit_file(call.request, records, as_csv=query.format == "csv")
