"""Log-ins: a JWT (RFC 7519) that is worth something only while its row in `sessions` is."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import jwt

from mailkeep.domain.account import Role, Session, User
from mailkeep.domain.audit import Origin
from mailkeep.domain.clock import Clock
from mailkeep.domain.ids import new_id
from mailkeep.domain.scope import CUSTOMER_SCOPES, Actor, Scope
from mailkeep.errors import NotAuthenticated
from mailkeep.services.audit import AuditTrail
from mailkeep.storage import sessions
from mailkeep.storage.database import Database

ALGORITHM: Final = "HS256"
ISSUER: Final = "mailkeep"
AUDIENCE: Final = "mailkeep-session"
# A JWT of ours has some 400 characters; nothing longer is worth a signature check.
MAX_TOKEN: Final = 2_000

_SCOPES: Final = {
    Role.OWNER: CUSTOMER_SCOPES,
    Role.MEMBER: CUSTOMER_SCOPES - {Scope.ACCOUNT_WRITE},
    Role.VIEWER: frozenset({Scope.MESSAGES_READ, Scope.ADDRESSES_READ, Scope.ACCOUNT_READ}),
}


class Sessions:
    """Opens, recognises and closes log-ins."""

    def __init__(
        self, database: Database, trail: AuditTrail, *, secret: bytes, lifetime: timedelta, clock: Clock
    ) -> None:
        self._database = database
        self._trail = trail
        self._secret = secret
        self._lifetime = lifetime
        self._clock = clock

    async def open(self, user: User, *, origin: Origin | None = None) -> Session:
        session_id, now = new_id(), self._clock()
        expires_at = now + self._lifetime
        async with self._database.write() as connection:
            await sessions.add(connection, session_id, user, created_at=now, expires_at=expires_at)
            await self._trail.write(connection, user.acting(origin), "session.open", resource=session_id)
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": user.id,
            "sid": session_id,
            "jti": new_id(),
            "iat": int(now.timestamp()),
            "exp": int(expires_at.timestamp()),
        }
        return Session(session_id, jwt.encode(claims, self._secret, algorithm=ALGORITHM), expires_at)

    async def actor(self, token: str) -> Actor:
        """Who holds this token. Raises NotAuthenticated when it is forged, over or revoked."""
        session_id, user_id = self._verified(token)
        async with self._database.read() as connection:
            found = await sessions.role_of(connection, session_id, user_id, now=self._clock())
        if found is None:
            raise NotAuthenticated("the session is over")
        account_id, role = found
        return Actor(scopes=_SCOPES[role], account_id=account_id, user_id=user_id, session_id=session_id)

    async def close(self, actor: Actor) -> None:
        """Log out. Does nothing for an actor without a session."""
        if actor.account_id is None or actor.session_id is None:
            return
        async with self._database.write() as connection:
            await sessions.revoke(connection, actor.account_id, actor.session_id, now=self._clock())
            await self._trail.write(connection, actor, "session.close", resource=actor.session_id)

    def _verified(self, token: str) -> tuple[str, str]:
        if len(token) > MAX_TOKEN:
            raise NotAuthenticated("not a session token")
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                audience=AUDIENCE,
                options={"require": ["iss", "aud", "sub", "sid", "jti", "iat", "exp"]},
            )
        except jwt.PyJWTError as error:
            raise NotAuthenticated("not a session token, or one that has expired") from error
        session_id, user_id = claims["sid"], claims["sub"]
        if not isinstance(session_id, str) or not isinstance(user_id, str):
            raise NotAuthenticated("not a session token")
        return session_id, user_id
