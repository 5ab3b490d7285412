"""/admin: for whoever runs the service, with a service token of the scope `admin`. Nobody's mail is read here."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from mailkeep.domain.account import AccountStatus
from mailkeep.domain.administration import AccountFilter
from mailkeep.domain.scope import Scope
from mailkeep_api.links import link_next
from mailkeep_api.routing import Call, Routes
from mailkeep_api.schemas.accounts import DeletionOut
from mailkeep_api.schemas.admin import (
    AccountChange,
    AccountEntryList,
    AccountEntryOut,
    AccountsQuery,
    PlatformAuditList,
    PlatformAuditOut,
    PlatformAuditQuery,
    ServiceTokenIn,
    StatsOut,
)
from mailkeep_api.schemas.tokens import TokenList, TokenMade, TokenOut, TokenRotation

routes: Final = Routes("/api/v1/admin", tag="administration")


@routes.get("/accounts", scope=Scope.ADMIN, audit="admin.account_list", query=AccountsQuery, returns=AccountEntryList)
async def list_accounts(call: Call, query: AccountsQuery) -> AccountEntryList:
    """Accounts, newest first: all of them, or those that fit."""
    wanted = AccountFilter(
        email=query.email.lower() if query.email is not None else None,
        address=query.address.lower() if query.address is not None else None,
        status=AccountStatus(query.status) if query.status is not None else None,
        tier=query.tier,
        before=query.before,
        limit=query.limit,
    )
    page, before = await call.core.administration.find(call.actor, wanted)
    link_next(call, before=before)
    return AccountEntryList(items=tuple(map(AccountEntryOut.of, page)), next=before)


@routes.get("/accounts/{account_id}", scope=Scope.ADMIN, audit="admin.account_view", returns=AccountEntryOut, etag=True)
async def get_account_entry(call: Call, account_id: str) -> AccountEntryOut:
    """One account; its own audit log says that you looked."""
    return AccountEntryOut.of(await call.core.administration.get(call.actor, account_id))


@routes.patch(
    "/accounts/{account_id}",
    scope=Scope.ADMIN,
    audit="admin.account_update",
    body=AccountChange,
    returns=AccountEntryOut,
)
async def update_account_entry(call: Call, account_id: str, body: AccountChange) -> AccountEntryOut:
    """Change the tier, suspend, or let go on. In force within a second, for mail too."""
    given = body.model_fields_set
    changed = await call.core.administration.change(
        call.actor,
        account_id,
        tier=body.tier if "tier" in given else None,
        status=AccountStatus(body.status) if "status" in given else None,
    )
    return AccountEntryOut.of(changed)


@routes.delete("/accounts/{account_id}", scope=Scope.ADMIN, audit="account.delete", returns=DeletionOut)
async def delete_account_entry(call: Call, account_id: str) -> DeletionOut:
    """Delete an account with all that is in it, for good, as its owner can."""
    return DeletionOut.of(await call.core.deletion.delete_any(call.actor, account_id))


@routes.get("/tokens", scope=Scope.ADMIN, audit="token.list", returns=TokenList)
async def list_service_tokens(call: Call) -> TokenList:
    """The tokens of services, newest first, without those that were revoked."""
    return TokenList(items=tuple(map(TokenOut.of, await call.core.service_tokens.list(call.actor))))


@routes.post(
    "/tokens", scope=Scope.ADMIN, audit="token.create", body=ServiceTokenIn, returns=TokenMade, status=201, secret=True
)
async def create_service_token(call: Call, body: ServiceTokenIn) -> TokenMade:
    """Make a token for a service. Its text is in this answer and nowhere else: keep it."""
    text, token = await call.core.service_tokens.create(
        call.actor, body.name, {Scope(scope) for scope in body.scopes}, expires_at=body.expires_at
    )
    return TokenMade.made(text, token)


@routes.delete("/tokens/{token_id}", scope=Scope.ADMIN, audit="token.revoke")
async def revoke_service_token(call: Call, token_id: str) -> None:
    """Revoke a service's token: it is worth nothing from now on."""
    await call.core.service_tokens.revoke(call.actor, token_id)


@routes.post(
    "/tokens/{token_id}/rotate",
    scope=Scope.ADMIN,
    audit="token.rotate",
    body=TokenRotation,
    returns=TokenMade,
    secret=True,
)
async def rotate_service_token(call: Call, token_id: str, body: TokenRotation) -> TokenMade:
    """Another secret for a service's token; the one before is good for `overlap_s` seconds more."""
    text, token = await call.core.service_tokens.rotate(call.actor, token_id, overlap=timedelta(seconds=body.overlap_s))
    return TokenMade.made(text, token)


@routes.get("/stats", scope=Scope.ADMIN, audit="admin.stats", returns=StatsOut)
async def get_stats(call: Call) -> StatsOut:
    """How many accounts, addresses, messages and bytes there are."""
    return StatsOut.of(await call.core.administration.totals(call.actor))


@routes.get("/audit", scope=Scope.ADMIN, audit="admin.audit_list", query=PlatformAuditQuery, returns=PlatformAuditList)
async def list_platform_audit(call: Call, query: PlatformAuditQuery) -> PlatformAuditList:
    """Everything that was done here, by customers, services and operators, newest first."""
    wanted = query.query(limit=query.limit, before=query.before)
    page, before = await call.core.administration.audit(call.actor, wanted, account_id=query.account)
    link_next(call, before=before)
    return PlatformAuditList(items=tuple(map(PlatformAuditOut.of, page)), next=before)
