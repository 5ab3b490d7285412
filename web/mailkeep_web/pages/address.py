"""/addresses/{id}: what one address receives, what was refused and why, and its QR code."""

from __future__ import annotations

import asyncio
import io
from typing import Final
from urllib.parse import quote

import segno
from aiohttp import web

from mailkeep.domain.address import SUBADDRESS_SEPARATOR
from mailkeep_api.documents import HOSTILE_CONTENT_HEADERS
from mailkeep_web.forms import Form
from mailkeep_web.routing import Routes
from mailkeep_web.visit import MemberVisit

routes: Final = Routes()

REFUSALS_SHOWN: Final = 20
EXAMPLE_TAG: Final = "invoices"
_MODULE_PX: Final = 4
_BORDER_MODULES: Final = 4  # ISO/IEC 18004 section 9.1: readers need so much quiet around it


@routes.member("GET", "/addresses/{address_id}", audit="address.view")
async def show(visit: MemberVisit) -> web.StreamResponse:
    return await address_page(visit, Form())


@routes.member("GET", "/addresses/{address_id}/diagnosis", audit="address.diagnosis")
async def diagnosis(visit: MemberVisit) -> web.StreamResponse:
    """The same page, which says besides whether the address can receive now."""
    return await address_page(visit, Form(), diagnosed=True)


@routes.member("GET", "/addresses/{address_id}/qr.svg", audit="address.qr")
async def qr_code(visit: MemberVisit) -> web.StreamResponse:
    """An image alone: opened by itself it can load and run nothing."""
    address = await visit.core.addresses.get(visit.actor, visit.request.match_info["address_id"])
    body = await asyncio.to_thread(_svg, address.address)
    return web.Response(body=body, content_type="image/svg+xml", headers=HOSTILE_CONTENT_HEADERS)


async def address_page(visit: MemberVisit, form: Form, *, diagnosed: bool = False, status: int = 200) -> web.Response:
    """Raises NotFound."""
    address_id = visit.request.match_info["address_id"]
    found = await visit.core.diagnosing.diagnose(visit.actor, address_id)
    refusals, before = await visit.core.refusals.list(
        visit.actor, address_id, limit=REFUSALS_SHOWN, before=visit.id("before")
    )
    local_part, _, domain = found.address.address.rpartition("@")
    context = {
        "address": found.address,
        "found": found,
        "diagnosed": diagnosed,
        "refusals": [stored.refusal for stored in refusals],
        "next_before": before,
        "is_first": "before" not in visit.request.query,
        "tag": EXAMPLE_TAG,
        "tagged": f"{local_part}{SUBADDRESS_SEPARATOR}{EXAMPLE_TAG}@{domain}",
        "form": form if form.errors else Form(values={"label": found.address.label}),
        "done": visit.request.query.get("done"),
    }
    return await visit.member_page("address.html", context, status=status)


def _svg(address: str) -> bytes:
    """A code that opens a new mail to the address (RFC 6068)."""
    drawn = io.BytesIO()
    code = segno.make(f"mailto:{quote(address, safe='@')}", error="m", micro=False)
    code.save(
        drawn, kind="svg", scale=_MODULE_PX, border=_BORDER_MODULES, dark="#000", light="#fff", lineclass=None,
        svgclass=None,
    )  # fmt: skip
    return drawn.getvalue()
