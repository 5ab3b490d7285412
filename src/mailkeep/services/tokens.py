"""Tokens for programs: `mk_<id>_<secret>`, shown once, kept as a salted hash, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection
from typing import Final

from mailkeep.domain.account import ApiToken
from mailkeep.domain.clock import Clock
from mailkeep.domain.scope import SERVICE_SCOPES, Actor, Scope, operator
from mailkeep.errors import InvalidInput, NotAuthenticated
from mailkeep.services.audit import AuditTrail
from mailkeep.services.last_use import LastUse
from mailkeep.storage import api_tokens
from mailkeep.storage.api_tokens import SecretHash
from mailkeep.storage.database import Database

PREFIX: Final = "mk_"
_TOKEN: Final = re.compile(r"mk_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")
# Hashed in place of a token that does not exist, so that the answer takes as long.
_DECOY: Final = SecretHash(salt="0" * 32, digest="0" * 64)


class Tokens:
    """Makes tokens and recognises their holders."""

    def __init__(self, database: Database, trail: AuditTrail, last_use: LastUse, *, clock: Clock) -> None:
        self._database = database
        self._trail = trail
        self._last_use = last_use
        self._clock = clock

    async def create_service(self, name: str, scopes: Collection[Scope]) -> tuple[str, ApiToken]:
        """A token for one of our own services: the operator's, not reachable over the API.

        Returns the token's text, which is not kept, and its record. Raises InvalidInput for a customer's scope.
        """
        if not scopes or not SERVICE_SCOPES.issuperset(scopes):
            known = ", ".join(sorted(SERVICE_SCOPES))
            raise InvalidInput(f"a service token needs scopes out of {known}", field="scopes")
        token_id, secret, salt = secrets.token_hex(8), secrets.token_urlsafe(32), secrets.token_hex(16)
        token = ApiToken(
            id=token_id,
            account_id=None,
            name=name[:100],
            scopes=frozenset(scopes),
            created_at=self._clock(),
            expires_at=None,
        )
        async with self._database.write() as connection:
            await api_tokens.add(connection, token, SecretHash(salt, _digest(salt, secret)))
            await self._trail.write(connection, operator(), "token.create", resource=token_id)
        return f"{PREFIX}{token_id}_{secret}", token

    async def actor(self, token: str) -> Actor:
        """Who holds this token. Raises NotAuthenticated."""
        match = _TOKEN.fullmatch(token)
        if match is None:
            raise NotAuthenticated("not a token")
        async with self._database.read() as connection:
            found = await api_tokens.in_force(connection, match[1], now=self._clock())
        record, expected = found or (None, _DECOY)
        if not hmac.compare_digest(_digest(expected.salt, match[2]), expected.digest) or record is None:
            raise NotAuthenticated("the token is wrong, expired or revoked")
        self._last_use.token(record.id, seen_at=record.last_used_at)
        return Actor(scopes=record.scopes, account_id=record.account_id, token_id=record.id)


def _digest(salt: str, secret: str) -> str:
    """SHA-256 is enough here: the secret has 256 random bits, so there is nothing to guess."""
    return hashlib.sha256(f"{salt}:{secret}".encode()).hexdigest()
