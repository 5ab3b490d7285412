"""/addresses: where mail is received."""

from __future__ import annotations

from typing import Final

from mailkeep.domain.address import Address
from mailkeep.domain.scope import Scope
from mailkeep_api.etags import seen_by
from mailkeep_api.links import link_next
from mailkeep_api.routing import Call, Routes
from mailkeep_api.schemas.addresses import AddressChange, AddressIn, AddressList, AddressOut, AddressQuery
from mailkeep_api.schemas.diagnosis import DiagnosisOut
from mailkeep_api.schemas.refusals import RefusalList, RefusalOut, RefusalQuery

routes: Final = Routes("/api/v1/addresses", tag="addresses")


@routes.get("", scope=Scope.ADDRESSES_READ, audit="address.list", query=AddressQuery, returns=AddressList)
async def list_addresses(call: Call, query: AddressQuery) -> AddressList:
    """Your addresses, newest first."""
    page, before = await call.core.addresses.list(call.actor, limit=query.limit, before=query.before)
    link_next(call, before=before)
    return AddressList(items=tuple(map(AddressOut.of, page)), next=before)


@routes.post(
    "",
    scope=Scope.ADDRESSES_WRITE,
    audit="address.create",
    body=AddressIn,
    returns=AddressOut,
    status=201,
    etag=True,
    idempotent=True,
    problems=("conflict", "limit-reached"),
)
async def create_address(call: Call, body: AddressIn) -> AddressOut:
    """Create an address; mail sent to it the instant after is received."""
    address = await call.core.addresses.create(
        call.actor, address=body.address, local_part=body.local_part, label=body.label
    )
    call.reply_headers["Location"] = f"/api/v1/addresses/{address.id}"
    return AddressOut.of(address)


@routes.get("/{address_id}", scope=Scope.ADDRESSES_READ, audit="address.view", returns=AddressOut, etag=True)
async def get_address(call: Call, address_id: str) -> AddressOut:
    """One address."""
    return AddressOut.of(await call.core.addresses.get(call.actor, address_id))


@routes.patch(
    "/{address_id}",
    scope=Scope.ADDRESSES_WRITE,
    audit="address.update",
    body=AddressChange,
    returns=AddressOut,
    etag=True,
    if_match=True,
)
async def update_address(call: Call, address_id: str, body: AddressChange) -> AddressOut:
    """Change the label, or stop and start receiving."""
    seen = await _seen(call, address_id)
    address = await call.core.addresses.update(call.actor, address_id, label=body.label, active=body.active, seen=seen)
    return AddressOut.of(address)


@routes.delete("/{address_id}", scope=Scope.ADDRESSES_WRITE, audit="address.delete", if_match=True)
async def delete_address(call: Call, address_id: str) -> None:
    """Delete an address for good. Its messages stay until they expire; nobody else can ever have it."""
    await call.core.addresses.delete(call.actor, address_id, seen=await _seen(call, address_id))


async def _seen(call: Call, address_id: str) -> Address | None:
    async def current() -> tuple[Address, AddressOut]:
        address = await call.core.addresses.get(call.actor, address_id)
        return address, AddressOut.of(address)

    return await seen_by(call.request, current)


@routes.get("/{address_id}/diagnosis", scope=Scope.ADDRESSES_READ, audit="address.diagnosis", returns=DiagnosisOut)
async def get_diagnosis(call: Call, address_id: str) -> DiagnosisOut:
    """Whether the address can receive now, and if not, why and what to do."""
    return DiagnosisOut.of(await call.core.diagnosing.diagnose(call.actor, address_id))


@routes.get(
    "/{address_id}/refusals",
    scope=Scope.ADDRESSES_READ,
    audit="address.refusals",
    query=RefusalQuery,
    returns=RefusalList,
)
async def list_refusals(call: Call, address_id: str, query: RefusalQuery) -> RefusalList:
    """Why mail did not arrive: what was refused of this address, newest first. One item a reply and minute."""
    page, before = await call.core.refusals.list(call.actor, address_id, limit=query.limit, before=query.before)
    link_next(call, before=before)
    return RefusalList(items=tuple(map(RefusalOut.of, page)), next=before)
