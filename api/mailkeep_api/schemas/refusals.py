"""Refused mail, as mxd reports it and as the owner of the address is told."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from mailkeep.domain.refusal import (
    MAX_HOST_CHARS,
    MAX_IP_CHARS,
    MAX_MAILBOX_CHARS,
    MAX_REASON_CHARS,
    Refusal,
    StoredRefusal,
)
from mailkeep_api.schemas.shapes import MAX_PAGE, Id, In, Instant, InstantIn, Out, Query

MAX_BATCH: Final = 200

Mailbox = Annotated[str, Field(max_length=MAX_MAILBOX_CHARS)]


class RefusalIn(In):
    """An address refused with one reply within one minute, `count` times."""

    address_id: Id
    code: int = Field(ge=400, le=599)
    status: str = Field(pattern=r"^[45]\.\d{1,3}\.\d{1,3}$")
    reason: str = Field(max_length=MAX_REASON_CHARS)
    mail_from: Mailbox
    rcpt_to: Mailbox
    client_ip: str = Field(max_length=MAX_IP_CHARS)
    client_name: str = Field(max_length=MAX_HOST_CHARS)
    first_at: InstantIn
    last_at: InstantIn
    count: int = Field(ge=1, le=2**31)

    def refusal(self) -> Refusal:
        return Refusal(**dict(self))


class RefusalsIn(In):
    items: tuple[RefusalIn, ...] = Field(max_length=MAX_BATCH, strict=False)


class RefusalQuery(Query):
    limit: int = Field(default=50, ge=1, le=MAX_PAGE)
    before: Id | None = None


class RefusalOut(Out):
    """Mail that was refused with one reply within one minute, `count` times; the first of them is told."""

    id: str
    code: int
    status: str
    reason: str
    mail_from: str
    rcpt_to: str
    client_ip: str
    client_name: str
    first_at: Instant
    last_at: Instant
    count: int

    @classmethod
    def of(cls, stored: StoredRefusal) -> RefusalOut:
        told = {name: getattr(stored.refusal, name) for name in cls.model_fields if name != "id"}
        return cls(id=stored.id, **told)


class RefusalList(Out):
    """Newest first; `next` is the `before` of the next page, null on the last one."""

    items: tuple[RefusalOut, ...]
    next: str | None
