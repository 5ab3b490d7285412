"""Tokens of our own services: made by whoever runs them, on the command line or with a token of the scope `admin`."""

from __future__ import annotations

import builtins
from collections.abc import Collection
from datetime import datetime, timedelta

from mailkeep.domain.account import ApiToken
from mailkeep.domain.clock import Clock
from mailkeep.domain.scope import SERVICE_SCOPES, Actor, Scope
from mailkeep.errors import InvalidInput
from mailkeep.services.audit import AuditTrail
from mailkeep.services.tokens import new_secret, new_token, scope_names, token_text
from mailkeep.storage import api_tokens
from mailkeep.storage.database import Database


class ServiceTokens:
    """For the scope `admin`. Every method raises NotAllowed without it."""

    def __init__(self, database: Database, trail: AuditTrail, *, clock: Clock) -> None:
        self._database = database
        self._trail = trail
        self._clock = clock

    async def create(
        self, actor: Actor, name: str, scopes: Collection[Scope], *, expires_at: datetime | None = None
    ) -> tuple[str, ApiToken]:
        """Returns the token's text, which is not kept, and its record.

        Raises InvalidInput for a customer's scope, a name without words, and a time that is over.
        """
        actor.require(Scope.ADMIN)
        if not scopes or not SERVICE_SCOPES.issuperset(scopes):
            known = ", ".join(sorted(SERVICE_SCOPES))
            raise InvalidInput(f"a service token needs scopes out of {known}", field="scopes")
        token = new_token(None, name, scopes, now=self._clock(), expires_at=expires_at)
        secret, kept = new_secret()
        async with self._database.write() as connection:
            await api_tokens.add(connection, token, kept)
            await self._trail.write(connection, actor, "token.create", resource=token.id, detail=scope_names(scopes))
        return token_text(token, secret), token

    async def list(self, actor: Actor) -> builtins.list[ApiToken]:
        """Newest first; those that were revoked are not among them."""
        actor.require(Scope.ADMIN)
        async with self._database.read() as connection:
            return await api_tokens.list_all(connection, None)

    async def revoke(self, actor: Actor, token_id: str) -> None:
        """It is worth nothing from now on. Raises NotFound."""
        actor.require(Scope.ADMIN)
        async with self._database.write() as connection:
            await api_tokens.revoke(connection, None, token_id, now=self._clock())
            await self._trail.write(connection, actor, "token.revoke", resource=token_id)

    async def rotate(self, actor: Actor, token_id: str, *, overlap: timedelta) -> tuple[str, ApiToken]:
        """Another secret; the one before is good for `overlap`. Returns text and record. Raises NotFound."""
        actor.require(Scope.ADMIN)
        secret, kept = new_secret()
        async with self._database.write() as connection:
            await api_tokens.rotate(connection, None, token_id, kept, previous_until=self._clock() + overlap)
            await self._trail.write(connection, actor, "token.rotate", resource=token_id)
            token = await api_tokens.get(connection, None, token_id)
        return token_text(token, secret), token
