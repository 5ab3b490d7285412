"""Tokens for a customer's programs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from mailkeep.domain.account import ApiToken
from mailkeep.services.tokens import MAX_NAME
from mailkeep_api.schemas.shapes import In, Instant, InstantIn, Out

# All that a token can hold: domain/scope.py, GRANTABLE_SCOPES.
GrantableScope = Literal[
    "account:read",
    "account:write",
    "addresses:read",
    "addresses:write",
    "audit:read",
    "messages:read",
    "messages:write",
    "tokens:read",
]
MAX_OVERLAP_S = 7 * 86_400


class TokenIn(In):
    """`scopes` are among those that you hold. `tokens:write` is for no token: whoever logged in makes them."""

    name: str = Field(min_length=1, max_length=MAX_NAME, examples=["nightly sign-up tests"])
    scopes: Annotated[list[GrantableScope], Field(min_length=1, max_length=8, examples=[["messages:read"]])]
    expires_at: InstantIn | None = None


class TokenRotation(In):
    """What the token was before is good for `overlap_s` seconds more; with 0 it is worth nothing at once."""

    overlap_s: int = Field(default=0, ge=0, le=MAX_OVERLAP_S, examples=[3600])


class TokenOut(Out):
    """`last_used_at` is right within a minute or so. `previous_until`: how long what it was before is good still."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: Instant
    expires_at: Instant | None
    last_used_at: Instant | None
    previous_until: Instant | None

    @classmethod
    def of(cls, token: ApiToken) -> TokenOut:
        return cls(**_values(token))


class TokenMade(TokenOut):
    """`token` is the text to send as `Authorization: Bearer …`. It is shown this once, and only its hash is kept."""

    token: str

    @classmethod
    def made(cls, text: str, token: ApiToken) -> TokenMade:
        return cls(token=text, **_values(token))


class TokenList(Out):
    """Newest first, all of them: an account has so many and no more."""

    items: tuple[TokenOut, ...]
    next: None = None


def _values(token: ApiToken) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "scopes": tuple(sorted(scope.value for scope in token.scopes)),
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
        "previous_until": token.previous_until,
    }
