"""The audit log."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mailkeep.domain.audit import ActorKind, AuditQuery, AuditRecord
from mailkeep_api.schemas.shapes import MAX_PAGE, Id, Instant, InstantIn, Out, Query


class AuditFilter(Query):
    """Which records: each filter that is given must fit."""

    action: str | None = Field(default=None, pattern=r"^[a-z_]+\.[a-z_]+$", max_length=64, examples=["session.open"])
    actor: Id | None = Field(default=None, description="the id of a user or of a token")
    outcome: str | None = Field(default=None, pattern=r"^[a-z0-9\-]+$", max_length=64, examples=["not-authenticated"])
    resource: Id | None = Field(default=None, description="the id of what it was done to")
    since: InstantIn | None = None
    until: InstantIn | None = None

    def query(self, *, limit: int, before: str | None = None) -> AuditQuery:
        return AuditQuery(
            action=self.action,
            actor_id=self.actor,
            outcome=self.outcome,
            resource=self.resource,
            since=self.since,
            until=self.until,
            before=before,
            limit=limit,
        )


class AuditListQuery(AuditFilter):
    limit: int = Field(default=50, ge=1, le=MAX_PAGE)
    before: Id | None = None


class AuditExportQuery(AuditFilter):
    format: Literal["csv", "jsonl"] = "jsonl"


class AuditOut(Out):
    """A deed: who (`actor_kind` and id), what (`action`), to which `resource`, how it ended (`outcome`), from where.

    `outcome` is `done`, or the last part of the problem's type. What an administrator or an operator did to your
    account is here too, without where they did it from.
    """

    id: str
    at: Instant
    actor_kind: str
    actor_id: str
    action: str
    resource: str
    detail: str
    outcome: str
    client_ip: str
    user_agent: str
    request_id: str

    @classmethod
    def of(cls, record: AuditRecord) -> AuditOut:
        place = record.place if record.actor_kind not in (ActorKind.SERVICE, ActorKind.OPERATOR) else None
        return cls(
            id=record.id,
            at=record.at,
            actor_kind=record.actor_kind.value,
            actor_id=record.actor_id,
            action=record.action,
            resource=record.resource,
            detail=record.detail,
            outcome=record.outcome,
            client_ip=place.client_ip if place else "",
            user_agent=place.user_agent if place else "",
            request_id=record.request_id,
        )


class AuditList(Out):
    """Newest first; `next` is the `before` of the next page, null on the last one."""

    items: tuple[AuditOut, ...]
    next: str | None
