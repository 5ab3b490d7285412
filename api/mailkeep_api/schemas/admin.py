"""Administration."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mailkeep.domain.administration import AccountEntry, Totals
from mailkeep.domain.audit import AuditRecord, Place
from mailkeep.services.tokens import MAX_NAME
from mailkeep_api.schemas.audit import AuditListQuery, AuditOut
from mailkeep_api.schemas.shapes import MAX_PAGE, Id, In, Instant, InstantIn, Out, Query, without_default

ServiceScope = Literal["admin", "policy", "worker"]
Status = Literal["active", "suspended"]


class AccountsQuery(Query):
    """All that is given must fit; `email` is an owner's, `address` one that receives mail, both whole."""

    email: str | None = Field(default=None, min_length=3, max_length=254, examples=["ada@example.org"])
    address: str | None = Field(default=None, min_length=3, max_length=254, examples=["sign-up@mail.test"])
    status: Status | None = None
    tier: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9_]{0,31}$", examples=["free"])
    limit: int = Field(default=50, ge=1, le=MAX_PAGE)
    before: Id | None = None


class AccountChange(In):
    """What is not given stays as it is."""

    tier: str = Field(
        default="", pattern=r"^[a-z][a-z0-9_]{0,31}$", examples=["paid"], json_schema_extra=without_default
    )
    status: Status = Field(default="active", examples=["suspended"], json_schema_extra=without_default)


class AccountEntryOut(Out):
    """An account with its owner's e-mail address. `messages_received` counts those that are deleted too."""

    id: str
    email: str
    tier: str
    status: str
    storage_bytes: int
    messages_received: int
    addresses: int
    created_at: Instant

    @classmethod
    def of(cls, entry: AccountEntry) -> AccountEntryOut:
        return cls(**{name: getattr(entry, name) for name in cls.model_fields})


class AccountEntryList(Out):
    """Newest first; `next` is the `before` of the next page, null on the last one."""

    items: tuple[AccountEntryOut, ...]
    next: str | None


class ServiceTokenIn(In):
    """A token for one of our own services, or for an administrator."""

    name: str = Field(min_length=1, max_length=MAX_NAME, examples=["mxd on mx1"])
    scopes: Annotated[list[ServiceScope], Field(min_length=1, max_length=3, examples=[["policy"]])]
    expires_at: InstantIn | None = None


class CountOut(Out):
    tier: str
    status: str
    accounts: int


class StatsOut(Out):
    """The whole installation."""

    accounts: tuple[CountOut, ...]
    addresses: int
    messages_received: int
    storage_bytes: int

    @classmethod
    def of(cls, totals: Totals) -> StatsOut:
        return cls(
            accounts=tuple(
                CountOut(tier=tier, status=status.value, accounts=count)
                for (tier, status), count in sorted(totals.accounts.items())
            ),
            addresses=totals.addresses,
            messages_received=totals.messages_received,
            storage_bytes=totals.storage_bytes,
        )


class PlatformAuditQuery(AuditListQuery):
    account: Id | None = Field(default=None, description="the id of the customer whom it concerns")


class PlatformAuditOut(AuditOut):
    """`account_id` is the customer whom it concerns, null when that is nobody or not known."""

    account_id: str | None

    @classmethod
    def of(cls, record: AuditRecord) -> PlatformAuditOut:
        place = record.place or Place("", "")
        return cls(
            **{
                **dict(AuditOut.of(record)),
                "client_ip": place.client_ip,
                "user_agent": place.user_agent,
                "account_id": record.account_id,
            }
        )


class PlatformAuditList(Out):
    """Newest first; `next` is the `before` of the next page, null on the last one."""

    items: tuple[PlatformAuditOut, ...]
    next: str | None
