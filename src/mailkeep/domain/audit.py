"""The audit log: who did what, from where, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

MAX_USER_AGENT: Final = 512
MAX_CLIENT_IP: Final = 64
MAX_RESOURCE: Final = 64
MAX_DETAIL: Final = 255
DONE: Final = "done"  # the outcome of what went well; of what did not, the name of the problem


def visible(text: str, *, limit: int = MAX_USER_AGENT) -> str:
    """Text of a stranger's, cut, with everything escaped that a terminal or a spreadsheet would act on."""
    shown = (char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text[:limit])
    return "".join(shown)[:limit]


@dataclass(slots=True, eq=False)
class Origin:
    """Where a call comes from; without a request it is the operator's own hand. Its texts are made `visible`.

    `written`: a record of it is part of the transaction that changed something. `noted`: a record is on its way.
    So whoever sees a request off knows whether the log has it. `claim` is the digest of its idempotency key, if it
    has one (`mailkeep.services.idempotency`).
    """

    client_ip: str = ""
    user_agent: str = ""
    request_id: str = ""
    written: bool = field(default=False, repr=False)
    noted: bool = field(default=False, repr=False)
    claim: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        self.client_ip = visible(self.client_ip, limit=MAX_CLIENT_IP)
        self.user_agent = visible(self.user_agent)


class ActorKind(StrEnum):
    USER = "user"  # somebody who logged in
    TOKEN = "token"  # noqa: S105  a customer's program
    SERVICE = "service"  # one of our own, an administrator's included
    OPERATOR = "operator"  # on the command line
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record's deed was done from: what of it is personal, and goes when the account goes."""

    client_ip: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One deed. `account_id` is the customer it concerns, None when that is nobody or not known.

    `place` is None once it has been erased with the account.
    """

    id: str
    at: datetime
    account_id: str | None
    actor_kind: ActorKind
    actor_id: str
    action: str
    resource: str
    detail: str
    outcome: str
    request_id: str
    place: Place | None


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which records of an account: newest first, older than the record `before`; `since` and `until` are times."""

    action: str | None = None
    actor_id: str | None = None
    outcome: str | None = None
    resource: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: str | None = None
    limit: int = 50
