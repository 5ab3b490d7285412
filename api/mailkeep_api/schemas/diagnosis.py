"""Whether an address can receive, for programs and for people."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from mailkeep.domain.diagnosis import Diagnosis, Obstacle, RefusalCount
from mailkeep_api.schemas.shapes import Instant, Out

_WORDS: Final = {
    Obstacle.ACCOUNT_SUSPENDED: (
        "The account is suspended: all its mail is refused.",
        "Ask whoever runs the service.",
    ),
    Obstacle.ADDRESS_INACTIVE: (
        "The address is switched off: its mail is refused.",
        'Switch it on: PATCH the address with {"active": true}.',
    ),
    Obstacle.STORAGE_FULL: (
        "The account has no storage left: senders are told to try again later.",
        "Delete messages, or change to a larger plan.",
    ),
    Obstacle.RATE_REACHED: (
        "The address has received in the last hour what the plan allows: senders are told to try again later.",
        "Wait, or use several addresses, or change to a larger plan.",
    ),
}


class ReasonOut(Out):
    """`code` stays; `text` and `what_to_do` are for people."""

    code: Obstacle = Field(examples=["address_inactive"])
    text: str = Field(examples=["The address is switched off: its mail is refused."])
    what_to_do: str = Field(examples=['Switch it on: PATCH the address with {"active": true}.'])

    @classmethod
    def of(cls, obstacle: Obstacle) -> ReasonOut:
        text, what_to_do = _WORDS[obstacle]
        return cls(code=obstacle, text=text, what_to_do=what_to_do)


class StatusCheckOut(Out):
    ok: bool = Field(examples=[True])
    status: str = Field(examples=["active"])


class StorageCheckOut(Out):
    """Bytes of the account's mail."""

    ok: bool = Field(examples=[True])
    used_bytes: int = Field(examples=[52_428])
    limit_bytes: int = Field(examples=[104_857_600])


class RateCheckOut(Out):
    """An estimate: messages that are stored still. What decides is the receiver's own count, at least as high."""

    ok: bool = Field(examples=[True])
    received_last_hour: int = Field(examples=[3])
    limit_per_hour: int = Field(examples=[100])


class FeedCheckOut(Out):
    """When a receiver last asked this server for the addresses; null if it has not since the server started.

    A receiver asks at least once a minute. It decides nothing here: receivers may ask another server.
    """

    seconds_since_asked: float | None = Field(examples=[0.8])


class RefusalCountOut(Out):
    """Refusals with one reply in the last 24 hours; `reason` is the latest."""

    code: int = Field(examples=[550])
    status: str = Field(examples=["5.1.1"])
    reason: str = Field(examples=["no such address here"])
    count: int = Field(examples=[2])
    last_at: Instant

    @classmethod
    def of(cls, counted: RefusalCount) -> RefusalCountOut:
        return cls(**{name: getattr(counted, name) for name in cls.model_fields})


class ChecksOut(Out):
    account: StatusCheckOut
    address: StatusCheckOut
    storage: StorageCheckOut
    rate: RateCheckOut
    recipients_feed: FeedCheckOut


class DiagnosisOut(Out):
    """`can_receive` is false exactly when there are `reasons`."""

    id: str = Field(examples=["0199d2e0-7a3c-7c51-9d3e-2f1b8a6c4e10"])
    address: str = Field(examples=["signup-tests@mail.test"])
    checked_at: Instant
    can_receive: bool = Field(examples=[True])
    reasons: tuple[ReasonOut, ...]
    checks: ChecksOut
    refusals_last_24_hours: tuple[RefusalCountOut, ...]
    last_message_at: Instant | None

    @classmethod
    def of(cls, found: Diagnosis) -> DiagnosisOut:
        obstacles = found.obstacles
        return cls(
            id=found.address.id,
            address=found.address.address,
            checked_at=found.checked_at,
            can_receive=not obstacles,
            reasons=tuple(map(ReasonOut.of, obstacles)),
            checks=_checks(found, obstacles),
            refusals_last_24_hours=tuple(map(RefusalCountOut.of, found.refusals)),
            last_message_at=found.last_message_at,
        )


def _checks(found: Diagnosis, obstacles: tuple[Obstacle, ...]) -> ChecksOut:
    asked_at = found.feed_asked_at
    silence_s = None if asked_at is None else max(0.0, round((found.checked_at - asked_at).total_seconds(), 1))
    return ChecksOut(
        account=StatusCheckOut(ok=Obstacle.ACCOUNT_SUSPENDED not in obstacles, status=found.account_status.value),
        address=StatusCheckOut(ok=Obstacle.ADDRESS_INACTIVE not in obstacles, status=found.address.status.value),
        storage=StorageCheckOut(
            ok=Obstacle.STORAGE_FULL not in obstacles, used_bytes=found.used_bytes, limit_bytes=found.limit_bytes
        ),
        rate=RateCheckOut(
            ok=Obstacle.RATE_REACHED not in obstacles,
            received_last_hour=found.received_last_hour,
            limit_per_hour=found.limit_per_hour,
        ),
        recipients_feed=FeedCheckOut(seconds_since_asked=silence_s),
    )
