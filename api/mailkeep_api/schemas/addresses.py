"""Addresses."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mailkeep.domain.address import MAX_ADDRESS_BYTES, MAX_LOCAL_PART_BYTES, Address
from mailkeep.services.addresses import MAX_LABEL
from mailkeep_api.schemas.shapes import MAX_PAGE, Id, In, Instant, Out, Query

Label = Annotated[str, Field(max_length=MAX_LABEL)]
AddressText = Annotated[str, Field(max_length=MAX_ADDRESS_BYTES)]
LocalPart = Annotated[str, Field(max_length=MAX_LOCAL_PART_BYTES)]


class AddressIn(In):
    """`address` in full or `local_part` alone; neither: a random one. See `mailkeep.domain.address` for the rules."""

    address: AddressText | None = Field(default=None, examples=["signup-tests@mail.test"])
    local_part: LocalPart | None = Field(default=None, examples=["signup-tests"])
    label: Label = Field(default="", examples=["sign-up tests"])


class AddressChange(In):
    """What is not given stays as it is."""

    label: Label | None = None
    active: bool | None = None


class AddressQuery(Query):
    limit: int = Field(default=50, ge=1, le=MAX_PAGE)
    before: Id | None = None


class AddressOut(Out):
    id: str
    address: str
    label: str
    status: Literal["active", "inactive"]
    created_at: Instant
    changed_at: Instant

    @classmethod
    def of(cls, address: Address) -> AddressOut:
        return cls(
            id=address.id,
            address=address.address,
            label=address.label,
            status=address.status.value,
            created_at=address.created_at,
            changed_at=address.changed_at,
        )


class AddressList(Out):
    """Newest first; `next` is the `before` of the next page, null on the last one."""

    items: tuple[AddressOut, ...]
    next: str | None
