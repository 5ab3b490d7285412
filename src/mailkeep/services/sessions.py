"""Log-ins: a JWT (see session_tokens.py) that is worth something only while its row in `sessions` is."""

from __future__ import annotations

import builtins
from contextlib import suppress
from datetime import timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.domain.account import AccountStatus, Role, Session, SessionInfo, User
from mailkeep.domain.audit import Origin
from mailkeep.domain.clock import Clock
from mailkeep.domain.ids import new_id
from mailkeep.domain.scope import CUSTOMER_SCOPES, Actor, Scope
from mailkeep.errors import NotAllowed, NotAuthenticated, NotFound
from mailkeep.services.audit import AuditTrail
from mailkeep.services.last_use import LastUse
from mailkeep.services.session_keys import SessionKeys
from mailkeep.services.session_tokens import issue, verified
from mailkeep.storage import accounts, sessions
from mailkeep.storage.database import Database

_SCOPES: Final = {
    Role.OWNER: CUSTOMER_SCOPES,
    Role.MEMBER: CUSTOMER_SCOPES - {Scope.ACCOUNT_WRITE},
    Role.VIEWER: frozenset({Scope.MESSAGES_READ, Scope.ADDRESSES_READ, Scope.ACCOUNT_READ}),
}


class Sessions:
    """Opens, recognises, lists and closes log-ins."""

    def __init__(
        self,
        database: Database,
        trail: AuditTrail,
        last_use: LastUse,
        keys: SessionKeys,
        *,
        lifetime: timedelta,
        clock: Clock,
    ) -> None:
        self._database = database
        self._trail = trail
        self._last_use = last_use
        self._keys = keys
        self._lifetime = lifetime
        self._clock = clock

    async def open(self, user: User, *, origin: Origin | None = None) -> Session:
        """Log in. Raises NotAuthenticated when the account is suspended or deleted, as for a stranger."""
        now, ring, origin = self._clock(), await self._keys.ring(), origin or Origin()
        info = SessionInfo(
            id=new_id(),
            created_at=now,
            expires_at=now + self._lifetime,
            last_seen_at=now,
            client_ip=origin.client_ip,
            user_agent=origin.user_agent,
        )
        async with self._database.write() as connection:
            await self._require_active(connection, user)
            await sessions.add(connection, user, info)
            await self._trail.write(connection, user.acting(origin), "session.open", resource=info.id)
        token = issue(ring.signing, user_id=user.id, session_id=info.id, issued_at=now, expires_at=info.expires_at)
        return Session(info.id, token, info.expires_at)

    async def _require_active(self, connection: AsyncConnection, user: User) -> None:
        try:
            account = await accounts.get(connection, user.account_id)
        except NotFound as error:
            raise NotAuthenticated("the account is gone") from error
        if account.status is not AccountStatus.ACTIVE:
            raise NotAuthenticated("the account is not active")

    async def actor(self, token: str) -> Actor:
        """Who holds this token. Raises NotAuthenticated when it is forged, over or revoked."""
        session_id, user_id = verified(token, await self._keys.ring())
        async with self._database.read() as connection:
            found = await sessions.in_force(connection, session_id, user_id, now=self._clock())
        if found is None:
            raise NotAuthenticated("the session is over")
        self._last_use.session(session_id, seen_at=found.last_seen_at)
        return Actor(scopes=_SCOPES[found.role], account_id=found.account_id, user_id=user_id, session_id=session_id)

    async def list(
        self, actor: Actor, *, limit: int = 50, before: str | None = None
    ) -> tuple[builtins.list[SessionInfo], str | None]:
        """A page of the person's sessions in force, newest first, and the cursor of the next one.

        Raises NotAllowed for a token.
        """
        account_id, user_id = _person(actor)
        async with self._database.read() as connection:
            found = await sessions.page(
                connection, account_id, user_id, limit=limit + 1, before=before, now=self._clock()
            )
        page = found[:limit]
        return page, page[-1].id if len(found) > limit else None

    async def close(self, actor: Actor) -> None:
        """Log out. Does nothing for an actor without a session."""
        if actor.session_id is not None:
            with suppress(NotFound):  # somebody was faster
                await self.end(actor, actor.session_id)

    async def end(self, actor: Actor, session_id: str) -> None:
        """End one of the person's sessions. Raises NotFound, also when it is over; NotAllowed for a token."""
        account_id, user_id = _person(actor)
        async with self._database.write() as connection:
            ended = await sessions.revoke(connection, account_id, user_id, now=self._clock(), only=session_id)
            if not ended:
                raise NotFound("no such session")
            await self._trail.write(connection, actor, "session.close", resource=session_id)

    async def end_all(self, actor: Actor, *, own_too: bool) -> int:
        """End the person's other sessions, or all; returns how many. Raises NotAllowed for a token."""
        account_id, user_id = _person(actor)
        kept = None if own_too else actor.session_id
        async with self._database.write() as connection:
            ended = await sessions.revoke(connection, account_id, user_id, now=self._clock(), but=kept)
            await self._trail.write(connection, actor, "session.close_all", detail=f"closed={ended}")
        return ended

    async def rotate_key(self, actor: Actor, *, drop_previous: bool) -> None:
        """A new key signs from now on. With `drop_previous` all sessions end, else none does.

        Raises NotAllowed without the scope `admin`, ConfigurationError when the key is in the settings.
        """
        actor.require(Scope.ADMIN)
        async with self._database.write() as connection:
            await self._trail.write(connection, actor, "keys.rotate", detail=f"drop_previous={drop_previous}")
            await self._keys.rotate(drop_previous=drop_previous)


def _person(actor: Actor) -> tuple[str, str]:
    """Account and user. Raises NotAllowed for what is not a person who logged in."""
    if actor.account_id is None or actor.user_id is None:
        raise NotAllowed("only for whoever logged in")
    return actor.account_id, actor.user_id
