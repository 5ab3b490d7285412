"""Who is calling: a session (JWT) or an API token, sent as RFC 6750 says. What they may do is decided in dispatch."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from aiohttp import web

from mailkeep.bootstrap import Core
from mailkeep.domain.scope import Actor
from mailkeep.errors import NotAuthenticated
from mailkeep.services import tokens
from mailkeep_api.keys import ACTOR, CORE, ORIGIN
from mailkeep_api.problems import NOT_ALLOWED, RequestProblem
from mailkeep_api.rates.admission import admit

API_TOKEN_PREFIX: Final = tokens.PREFIX
MAX_CREDENTIALS_CHARS: Final = 4096
_QUERY_NAMES: Final = frozenset({"access_token", "authorization", "token"})
_TOKEN_IN_QUERY: Final = replace(
    NOT_ALLOWED,
    detail="Tokens are taken from the Authorization header alone. This one has been in an address, which is kept in "
    "logs: revoke it.",
)


async def authenticate(request: web.Request) -> Actor:
    """The actor of a request's Authorization header. A room with cookies calls `actor_of` with what it found in them.

    Raises NotAuthenticated; RateExceeded; RequestProblem (403) for a token in the address, where logs and browsers'
    histories keep it (RFC 6750 section 5.3): nobody shall find that this works.
    """
    if not _QUERY_NAMES.isdisjoint(request.query):
        await admit(request, None)
        raise RequestProblem(_TOKEN_IN_QUERY)
    try:
        actor = await actor_of(request.app[CORE], bearer_credentials(request) or "")
    except NotAuthenticated:
        await admit(request, None)
        raise
    request[ACTOR] = replace(actor, origin=request[ORIGIN])
    await admit(request, actor)
    return request[ACTOR]


def nobody(request: web.Request) -> Actor:
    """Whoever calls a public route, or could not be recognised."""
    return Actor(scopes=frozenset(), origin=request[ORIGIN])


def bearer_credentials(request: web.Request) -> str | None:
    """The token of `Authorization: Bearer …` (RFC 6750 section 2.1), None without the header.

    Raises NotAuthenticated for another scheme, and for more than one header: two answers to one question.
    """
    values = request.headers.getall("Authorization", [])
    if not values:
        return None
    scheme, _, credentials = values[0].partition(" ")
    if len(values) > 1 or scheme.lower() != "bearer" or not credentials.strip():
        raise NotAuthenticated("not one bearer token")
    return credentials.strip()


async def actor_of(core: Core, credentials: str) -> Actor:
    """The actor behind a session token or an API token. Raises NotAuthenticated."""
    if len(credentials) > MAX_CREDENTIALS_CHARS or not credentials.isascii():
        raise NotAuthenticated("not a token")
    if credentials.startswith(API_TOKEN_PREFIX):
        return await core.tokens.actor(credentials)
    return await core.sessions.actor(credentials)
