"""The recipients feed."""

from __future__ import annotations

from pydantic import Field

from mailkeep.domain.recipient import Recipient
from mailkeep_api.schemas.shapes import Out, Query, Seq


class RecipientsQuery(Query):
    after: Seq = 0
    wait: float = Field(default=0, ge=0, le=25, allow_inf_nan=False, description="seconds to wait for a change")
    limit: int = Field(default=5000, ge=1, le=10_000)


class RecipientOut(Out):
    address: str
    address_id: str
    account_id: str
    active: bool
    per_hour: int
    over_quota: bool
    deleted: bool

    @classmethod
    def of(cls, recipient: Recipient) -> RecipientOut:
        return cls(  # each by its name: these are made by the million
            address=recipient.address,
            address_id=recipient.address_id,
            account_id=recipient.account_id,
            active=recipient.active,
            per_hour=recipient.per_hour,
            over_quota=recipient.over_quota,
            deleted=recipient.deleted,
        )


class RecipientsOut(Out):
    """Changes in their order; ask again with `after` = `cursor`, at once when there is `more`."""

    items: tuple[RecipientOut, ...]
    cursor: int
    more: bool
