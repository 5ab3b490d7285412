"""Log-ins, as whoever logged in sees them."""

from __future__ import annotations

from pydantic import Field

from mailkeep.domain.account import SessionInfo
from mailkeep.domain.scope import Actor
from mailkeep_api.schemas.shapes import MAX_PAGE, Flag, Id, In, Instant, Out, Query


class SessionsQuery(Query):
    limit: int = Field(default=50, ge=1, le=MAX_PAGE)
    before: Id | None = None


class SessionsEnd(Query):
    all: Flag = "0"


class SessionItem(Out):
    """`last_seen_at` is right within some minutes; address and user agent are those of the log-in."""

    id: str
    current: bool
    created_at: Instant
    expires_at: Instant
    last_seen_at: Instant | None
    client_ip: str
    user_agent: str

    @classmethod
    def of(cls, info: SessionInfo, actor: Actor) -> SessionItem:
        return cls(
            id=info.id,
            current=info.id == actor.session_id,
            created_at=info.created_at,
            expires_at=info.expires_at,
            last_seen_at=info.last_seen_at,
            client_ip=info.client_ip,
            user_agent=info.user_agent,
        )


class SessionList(Out):
    """Newest first; `next` is the `before` of the next page, null on the last one."""

    items: tuple[SessionItem, ...]
    next: str | None


class SessionsEnded(Out):
    ended: int


class PasswordChange(In):
    current: str = Field(min_length=1, max_length=1024, examples=["a quiet river bends twice"])
    new: str = Field(min_length=1, max_length=1024, examples=["nine slow boats at noon"])
