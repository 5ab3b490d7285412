"""Tokens for programs: `mk_<id>_<secret>`, shown once, kept as a salted hash, compared in constant time."""

from __future__ import annotations

import builtins
import hashlib
import hmac
import re
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from mailkeep.domain.account import ApiToken
from mailkeep.domain.clock import Clock
from mailkeep.domain.scope import GRANTABLE_SCOPES, Actor, Scope
from mailkeep.errors import InvalidInput, LimitReached, NotAuthenticated
from mailkeep.services.audit import AuditTrail
from mailkeep.services.last_use import LastUse
from mailkeep.storage import accounts, api_tokens
from mailkeep.storage.api_tokens import SecretHash
from mailkeep.storage.database import Database

PREFIX: Final = "mk_"
MAX_TOKENS: Final = 50  # of an account
MAX_NAME: Final = 100
_TOKEN: Final = re.compile(r"mk_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")
# Hashed in place of a token that does not exist, so that the answer takes as long.
_DECOY: Final = SecretHash(salt="0" * 32, digest="0" * 64)


class Tokens:
    """Makes customers' tokens, and recognises whoever holds a token."""

    def __init__(self, database: Database, trail: AuditTrail, last_use: LastUse, *, clock: Clock) -> None:
        self._database = database
        self._trail = trail
        self._last_use = last_use
        self._clock = clock

    async def create(
        self, actor: Actor, name: str, scopes: Collection[Scope], *, expires_at: datetime | None = None
    ) -> tuple[str, ApiToken]:
        """A token of the actor's account. Returns its text, which is not kept, and its record.

        Raises InvalidInput for a name without words, a time that is over, and scopes that the actor does not hold or
        that no token can hold; LimitReached, NotAllowed, NotFound when the account was deleted meanwhile.
        """
        account_id = actor.owner(Scope.TOKENS_WRITE)
        if not scopes or not (actor.scopes & GRANTABLE_SCOPES).issuperset(scopes):
            raise InvalidInput("scopes that you hold, without tokens:write", field="scopes")
        token = new_token(account_id, name, scopes, now=self._clock(), expires_at=expires_at)
        secret, kept = new_secret()
        async with self._database.write() as connection:
            await accounts.lock_one(connection, account_id)
            if len(await api_tokens.list_all(connection, account_id)) >= MAX_TOKENS:
                raise LimitReached(f"an account has {MAX_TOKENS} tokens at most: revoke one first")
            await api_tokens.add(connection, token, kept)
            await self._trail.write(connection, actor, "token.create", resource=token.id, detail=scope_names(scopes))
        return token_text(token, secret), token

    async def list(self, actor: Actor) -> builtins.list[ApiToken]:
        """The account's tokens, newest first; those that were revoked are not among them. Raises NotAllowed."""
        account_id = actor.owner(Scope.TOKENS_READ)
        async with self._database.read() as connection:
            return await api_tokens.list_all(connection, account_id)

    async def get(self, actor: Actor, token_id: str) -> ApiToken:
        """Raises NotFound, also for another account's token; NotAllowed."""
        account_id = actor.owner(Scope.TOKENS_READ)
        async with self._database.read() as connection:
            return await api_tokens.get(connection, account_id, token_id)

    async def revoke(self, actor: Actor, token_id: str) -> None:
        """It is worth nothing from now on. Raises NotFound, NotAllowed."""
        account_id = actor.owner(Scope.TOKENS_WRITE)
        async with self._database.write() as connection:
            await api_tokens.revoke(connection, account_id, token_id, now=self._clock())
            await self._trail.write(connection, actor, "token.revoke", resource=token_id)

    async def rotate(self, actor: Actor, token_id: str, *, overlap: timedelta) -> tuple[str, ApiToken]:
        """Another secret for a token; the one before is good for `overlap`. Returns the new text and the record.

        Raises NotFound; NotAllowed also when the token may do what the actor may not: the text would be his.
        """
        account_id = actor.owner(Scope.TOKENS_WRITE)
        secret, kept = new_secret()
        async with self._database.write() as connection:
            token = await api_tokens.get(connection, account_id, token_id)
            for scope in token.scopes:
                actor.require(scope)
            until = self._clock() + overlap
            await api_tokens.rotate(connection, account_id, token_id, kept, previous_until=until)
            await self._trail.write(connection, actor, "token.rotate", resource=token_id)
            return token_text(token, secret), await api_tokens.get(connection, account_id, token_id)

    async def actor(self, token: str) -> Actor:
        """Who holds this token. Raises NotAuthenticated."""
        match = _TOKEN.fullmatch(token)
        if match is None:
            raise NotAuthenticated("not a token")
        async with self._database.read() as connection:
            found = await api_tokens.in_force(connection, match[1], now=self._clock())
        record, *expected = found or (None, _DECOY, _DECOY)
        # Both are compared, whatever the first one says.
        fits = [
            hmac.compare_digest(_digest(each.salt, match[2]), each.digest)
            for each in (hash_ or _DECOY for hash_ in expected)
        ]
        if not any(fits) or record is None:
            raise NotAuthenticated("the token is wrong, expired or revoked")
        self._last_use.token(record.id, seen_at=record.last_used_at)
        scopes = record.scopes if record.account_id is None else record.scopes & GRANTABLE_SCOPES
        return Actor(scopes=scopes, account_id=record.account_id, token_id=record.id)


def new_token(
    account_id: str | None, name: str, scopes: Collection[Scope], *, now: datetime, expires_at: datetime | None
) -> ApiToken:
    """Raises InvalidInput for a name without words, and a time that is over."""
    if expires_at is not None and expires_at <= now:
        raise InvalidInput("a time to come", field="expires_at")
    return ApiToken(
        id=secrets.token_hex(8),
        account_id=account_id,
        name=_checked_name(name),
        scopes=frozenset(scopes),
        created_at=now,
        expires_at=expires_at,
    )


def new_secret() -> tuple[str, SecretHash]:
    """A secret, and what is kept of it."""
    secret, salt = secrets.token_urlsafe(32), secrets.token_hex(16)
    return secret, SecretHash(salt, _digest(salt, secret))


def token_text(token: ApiToken, secret: str) -> str:
    """What its holder sends."""
    return f"{PREFIX}{token.id}_{secret}"


def _checked_name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise InvalidInput("a name of some letters, without control characters", field="name")
    return name


def scope_names(scopes: Collection[Scope]) -> str:
    return " ".join(sorted(scope.value for scope in scopes))


def _digest(salt: str, secret: str) -> str:
    """SHA-256 is enough here: the secret has 256 random bits, so there is nothing to guess."""
    return hashlib.sha256(f"{salt}:{secret}".encode()).hexdigest()
