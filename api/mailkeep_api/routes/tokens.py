"""/tokens: what programs authenticate with. Only whoever logged in makes, rotates and revokes them."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from mailkeep.domain.scope import Scope
from mailkeep_api.routing import Call, Routes
from mailkeep_api.schemas.tokens import TokenIn, TokenList, TokenMade, TokenOut, TokenRotation

routes: Final = Routes("/api/v1/tokens", tag="tokens")


@routes.get("", scope=Scope.TOKENS_READ, audit="token.list", returns=TokenList)
async def list_tokens(call: Call) -> TokenList:
    """Your tokens, newest first, with those that have expired, without those that were revoked."""
    return TokenList(items=tuple(map(TokenOut.of, await call.core.tokens.list(call.actor))))


@routes.post(
    "",
    scope=Scope.TOKENS_WRITE,
    audit="token.create",
    body=TokenIn,
    returns=TokenMade,
    status=201,
    idempotent=True,
    secret=True,
)
async def create_token(call: Call, body: TokenIn) -> TokenMade:
    """Make a token for a program. Its text is in this answer and nowhere else: keep it."""
    text, token = await call.core.tokens.create(
        call.actor, body.name, {Scope(scope) for scope in body.scopes}, expires_at=body.expires_at
    )
    call.reply_headers["Location"] = f"/api/v1/tokens/{token.id}"
    return TokenMade.made(text, token)


@routes.get("/{token_id}", scope=Scope.TOKENS_READ, audit="token.view", returns=TokenOut, etag=True)
async def get_token(call: Call, token_id: str) -> TokenOut:
    """One token, without its secret."""
    return TokenOut.of(await call.core.tokens.get(call.actor, token_id))


@routes.delete("/{token_id}", scope=Scope.TOKENS_WRITE, audit="token.revoke")
async def revoke_token(call: Call, token_id: str) -> None:
    """Revoke a token: it is worth nothing from now on."""
    await call.core.tokens.revoke(call.actor, token_id)


@routes.post(
    "/{token_id}/rotate",
    scope=Scope.TOKENS_WRITE,
    audit="token.rotate",
    body=TokenRotation,
    returns=TokenMade,
    idempotent=True,
    secret=True,
)
async def rotate_token(call: Call, token_id: str, body: TokenRotation) -> TokenMade:
    """Give a token another secret, and time to spread it: the one before is good for `overlap_s` seconds more."""
    text, token = await call.core.tokens.rotate(call.actor, token_id, overlap=timedelta(seconds=body.overlap_s))
    return TokenMade.made(text, token)
