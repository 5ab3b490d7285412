"""What the account uses, and its limits."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, PlainSerializer

from mailkeep.domain.tier import Tier
from mailkeep.domain.usage import AddressRate, Notice, Usage, UsageDay, storage_share
from mailkeep.services.usage import MAX_DAYS
from mailkeep_api.schemas.shapes import Instant, Out, Query

Share = Annotated[
    float,
    PlainSerializer(lambda share: round(share, 4), return_type=float),
    Field(ge=0, description="of the limit, 1 is all of it; it can be more", examples=[0.42]),
]


class UsageQuery(Query):
    days: int = Field(default=30, ge=1, le=MAX_DAYS, description="how many days, today included")


class LimitsOut(Out):
    """What the tier gives. Requests and messages are counted in a rolling minute and a rolling hour."""

    addresses: int = Field(examples=[3])
    storage_bytes: int
    received_per_address_per_hour: int = Field(examples=[100])
    api_requests_per_minute: int = Field(examples=[60])
    retention_days: int = Field(examples=[7])

    @classmethod
    def of(cls, tier: Tier) -> LimitsOut:
        return cls(
            addresses=tier.addresses,
            storage_bytes=tier.storage_bytes,
            received_per_address_per_hour=tier.received_per_hour,
            api_requests_per_minute=tier.api_requests_per_minute,
            retention_days=tier.retention_days,
        )


class UsedOut(Out):
    """Inactive addresses count too. Storage is the size of the messages as they were received."""

    addresses: int = Field(examples=[2])
    storage_bytes: int


class ShareOut(Out):
    addresses: Share
    storage: Share


class NoticeOut(Out):
    """`near` from 80 % on; `reached`: mail gets `452 4.2.2` until something is deleted or expires."""

    limit: Literal["storage"]
    level: Literal["near", "reached"]
    share: Share

    @classmethod
    def of(cls, notice: Notice) -> NoticeOut:
        return cls.model_validate({"limit": notice.limit, "level": notice.level.value, "share": notice.share})


class AddressRateOut(Out):
    """What an active address received in the last hour; messages that were deleted since are not counted."""

    address_id: str
    address: str
    received_last_hour: int = Field(examples=[12])

    @classmethod
    def of(cls, rate: AddressRate) -> AddressRateOut:
        return cls(address_id=rate.address.id, address=rate.address.address, received_last_hour=rate.received_last_hour)


class UsageDayOut(Out):
    """One day in UTC: messages stored, their bytes, and recipients that were refused."""

    day: date = Field(examples=["2026-11-24"])
    messages: int = Field(examples=[12])
    bytes: int = Field(examples=[24_576])
    refusals: int = Field(examples=[1])

    @classmethod
    def of(cls, used: UsageDay) -> UsageDayOut:
        return cls(day=used.day, messages=used.messages, bytes=used.bytes, refusals=used.refusals)


class UsageOut(Out):
    """`days` in order without a gap, today last; `rates` of the newest active addresses, 50 at most."""

    checked_at: Instant
    tier: str
    limits: LimitsOut
    used: UsedOut
    share: ShareOut
    notices: tuple[NoticeOut, ...]
    rates: tuple[AddressRateOut, ...]
    days: tuple[UsageDayOut, ...]

    @classmethod
    def of(cls, usage: Usage) -> UsageOut:
        return cls(
            checked_at=usage.checked_at,
            tier=usage.tier.name,
            limits=LimitsOut.of(usage.tier),
            used=UsedOut(addresses=usage.addresses, storage_bytes=usage.account.storage_bytes),
            share=ShareOut(addresses=usage.addresses_share, storage=storage_share(usage.account, usage.tier)),
            notices=tuple(map(NoticeOut.of, usage.notices)),
            rates=tuple(map(AddressRateOut.of, usage.rates)),
            days=tuple(map(UsageDayOut.of, usage.days)),
        )
