"""Everybody who may come to the API's door, each with what they show there."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import update

from api.world import PASSWORD, Customer, World
from mailkeep.bootstrap import session_keys
from mailkeep.domain.account import ApiToken, Role, User
from mailkeep.domain.clock import utc_now
from mailkeep.domain.ids import new_id
from mailkeep.domain.scope import CUSTOMER_SCOPES, SERVICE_SCOPES, Scope
from mailkeep.services.tokens import _digest
from mailkeep.storage import api_tokens, users
from mailkeep.storage.api_tokens import SecretHash
from mailkeep.storage.schema import api_tokens as api_tokens_table
from mailkeep.storage.schema import sessions
from security.forged_tokens import Genuine, forged_tokens

FORGED_EVERY: Final = 20
LONG_AGO: Final = utc_now() - timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Callers:
    """`roles`: sessions of one account; `tokens`: of one scope each, the customer's and the services'."""

    roles: Mapping[Role, User]
    tokens: Mapping[Scope, str]
    nobody: Mapping[str, str | None]


async def gather(world: World, ada: Customer) -> Callers:
    """All of them, of one account."""
    owner = await world.core.accounts.authenticate(ada.email, PASSWORD)
    roles = {Role.OWNER: owner, Role.MEMBER: await _user(world, owner, Role.MEMBER)}
    roles[Role.VIEWER] = await _user(world, owner, Role.VIEWER)
    tokens = {scope: await _token(world, {scope}, ada.account_id) for scope in CUSTOMER_SCOPES}
    tokens |= {scope: await _token(world, {scope}, None) for scope in SERVICE_SCOPES}
    everything = await _token(world, CUSTOMER_SCOPES, ada.account_id)
    nobody: dict[str, str | None] = {
        "without credentials": None,
        "an expired token": await _token(world, CUSTOMER_SCOPES, ada.account_id, expires_at=LONG_AGO),
        "a revoked token": await _revoked_token(world, ada),
        "a token with another's secret": f"{everything[:20]}{next(iter(tokens.values()))[20:]}",
        "an expired session": await _ended(world, owner, {"expires_at": LONG_AGO}),
        "a revoked session": await _ended(world, owner, {"revoked_at": LONG_AGO}),
        **await _forged(world, owner),
    }
    return Callers(roles=roles, tokens=tokens, nobody=nobody)


async def session_of(world: World, user: User) -> str:
    return (await world.core.sessions.open(user)).token


async def _user(world: World, owner: User, role: Role) -> User:
    user = replace(owner, id=new_id(), email=f"{role.value}@example.org", role=role)
    async with world.core.database.write() as connection:
        await users.add(connection, user, password_hash="nobody logs in with this")
    return user


async def _token(
    world: World, scopes: set[Scope] | frozenset[Scope], account_id: str | None, *, expires_at: datetime | None = None
) -> str:
    """As the service makes them, which gives nobody a token that has expired or may manage tokens."""
    token_id, secret, salt = secrets.token_hex(8), secrets.token_urlsafe(32), secrets.token_hex(16)
    token = ApiToken(token_id, account_id, "test", frozenset(scopes), created_at=LONG_AGO, expires_at=expires_at)
    async with world.core.database.write() as connection:
        await api_tokens.add(connection, token, SecretHash(salt, _digest(salt, secret)))
    return f"mk_{token_id}_{secret}"


async def _revoked_token(world: World, ada: Customer) -> str:
    token = await _token(world, CUSTOMER_SCOPES, ada.account_id)
    revoked = update(api_tokens_table).where(api_tokens_table.c.id == token[3:19]).values(revoked_at=LONG_AGO)
    async with world.core.database.write() as connection:
        await connection.execute(revoked)
    return token


async def _forged(world: World, user: User) -> dict[str, str]:
    """Some of the forged JWTs; test_forged_tokens.py tries all of them, on one route."""
    signing = (await session_keys(world.core.settings).ring()).signing
    forged = forged_tokens(Genuine(await session_of(world, user), signing))
    sent = {name: token for name, token in forged.items() if token.isascii() and token.isprintable() and token.strip()}
    return {f"forged: {name}": sent[name] for name in list(sent)[::FORGED_EVERY]}


async def _ended(world: World, user: User, values: Mapping[str, datetime]) -> str:
    session = await world.core.sessions.open(user)
    async with world.core.database.write() as connection:
        await connection.execute(update(sessions).where(sessions.c.id == session.id).values(values))
    return session.token
