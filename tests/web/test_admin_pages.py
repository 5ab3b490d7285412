"""The administration in a browser: for whoever holds a service token of the scope `admin`, and for nobody else."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from api.world import World
from mailkeep.domain.scope import Scope, operator
from mailkeep_web.app import PAGES
from mailkeep_web.routing import AdminRoute
from web.site import PASSWORD, Page, Visitor, open_site, site_settings, visitor_of


async def service_token(world: World, scope: Scope) -> str:
    return (await world.core.service_tokens.create(operator(), f"for {scope.value}", {scope}))[0]


@pytest.fixture
async def root(site: World) -> AsyncIterator[Visitor]:
    """Somebody who has entered the administration, and is no customer."""
    async with visitor_of(site) as visitor:
        page = await visitor.post("/admin/login", {"token": await service_token(site, Scope.ADMIN)})
        assert (page.status, page.location) == (303, "/admin")
        yield visitor


async def account_of(visitor: Visitor) -> str:
    return (await visitor.address()).account_id


def token_in(page: Page) -> str:
    (text,) = re.findall(r"<code>(mk_[0-9a-f]{16}_[\w-]{43})</code>", page.text)
    return str(text)


async def test_the_token_stays_out_of_reach(site: World, stranger: Visitor) -> None:
    token = await service_token(site, Scope.ADMIN)
    page = await stranger.post("/admin/login", {"token": token})
    attributes = set(page.set_cookie.split("; ")[1:])
    assert {"HttpOnly", "SameSite=Strict", "Path=/admin", "Max-Age=3600"} <= attributes
    assert token not in (await stranger.get("/admin")).text
    page = await stranger.post("/admin/leave")
    assert page.location == "/admin/login"
    assert (await stranger.get("/admin")).location == "/admin/login"


async def test_with_https_the_cookie_is_secure(tmp_path: Path) -> None:
    settings = site_settings(tmp_path, http={"public_url": "https://mail.example.org"})
    async with open_site(settings) as site, visitor_of(site) as visitor:
        form = {"token": await service_token(site, Scope.ADMIN)}
        page = await visitor.post("/admin/login", form, headers={"Origin": "https://mail.example.org"})
    assert page.set_cookie.startswith("__Secure-mailkeep-admin=")
    assert "Secure" in page.set_cookie.split("; ")


async def test_only_an_administrators_token_opens(site: World, ada: Visitor, stranger: Visitor) -> None:
    customers, _ = await site.core.tokens.create(await ada.actor(), "x", {Scope.ACCOUNT_READ})
    wrong = [customers, await service_token(site, Scope.POLICY), await service_token(site, Scope.WORKER)]
    for token in (*wrong, ada.token, "", "x" * 5_000, f"mk_{'0' * 16}_{'a' * 43}"):
        page = await stranger.post("/admin/login", {"token": token})
        assert (page.status, page.set_cookie) == (401, "")
        assert "no token of an administrator" in page.error_of("token")
        assert not token or token not in page.text
        cookie = {"Cookie": f"mailkeep-admin={token}"}
        assert (await stranger.get("/admin", headers=cookie)).status in (303, 403)


async def test_two_cookies_are_none(site: World, stranger: Visitor) -> None:
    token = await service_token(site, Scope.ADMIN)
    page = await stranger.get("/admin", headers={"Cookie": f"mailkeep-admin={token}; mailkeep-admin={token}"})
    assert page.status == 303


async def test_customers_and_strangers_are_kept_out(ada: Visitor, stranger: Visitor) -> None:
    """A customer is told 403, as by the API; a stranger is led to the door, which says nothing of what is behind."""
    paths = {(route.method, route.path) for page in PAGES for route in page.routes if isinstance(route, AdminRoute)}
    assert len(paths) >= 14
    for method, path in paths:
        filled = path.format(account_id=await account_of(ada), token_id="0123456789abcdef")
        ask = "get" if method == "GET" else "post"
        assert (await getattr(ada, ask)(filled)).status == 403, path
        page = await getattr(stranger, ask)(filled)
        assert (page.status, page.location) == (303, "/admin/login"), path
    for path in ("/inbox", "/settings", "/addresses"):
        assert "/admin" not in (await ada.get(path)).text
    assert (await ada.get("/settings")).status == 200


async def test_a_revoked_token_ends_it(site: World, root: Visitor) -> None:
    (own,) = await site.core.service_tokens.list(operator())
    await site.core.service_tokens.revoke(operator(), own.id)
    page = await root.get("/admin")
    assert (page.status, page.location) == (303, "/admin/login")
    assert "Max-Age=0" in page.set_cookie


async def test_accounts_are_found(root: Visitor, ada: Visitor, bob: Visitor) -> None:
    page = await root.get("/admin")
    assert [email in page.text for email in ("ada@example.org", "bob@example.org")] == [True, True]
    for query in ("email=Ada@example.org", f"address={(await ada.address()).address}"):
        page = await root.get(f"/admin?{query}")
        assert [email in page.text for email in (">ada@example.org<", ">bob@example.org<")] == [True, False], query
    assert "No account is like that" in (await root.get("/admin?status=suspended")).text
    for query, field in (("email=x", "email"), ("status=gone", "status"), ("tier=%27", "tier")):
        page = await root.get(f"/admin?{query}")
        assert page.status == 422
        assert f'id="{field}-error"' in page.text
    assert (await root.get("/admin?before=%27")).status == 400
    assert await account_of(bob)


async def test_an_account_is_changed_suspended_and_let_go_on(root: Visitor, ada: Visitor) -> None:
    here = f"/admin/accounts/{await account_of(ada)}"
    assert "ada@example.org" in (await root.get(here)).text
    page = await root.post(f"{here}/tier", {"tier": "paid"})
    assert "The plan is changed" in (await root.get(page.location)).text
    assert "90 days" in (await ada.get("/billing")).text
    page = await root.post(f"{here}/tier", {"tier": "gold"})
    assert page.status == 422
    assert 'id="tier-error"' in page.text
    page = await root.post(f"{here}/suspend")
    page = await root.get(page.location)
    assert "The account is suspended" in page.text
    assert f'action="{here}/reactivate"' in page.text
    assert (await ada.get("/inbox")).status == 303
    assert (await root.post(f"{here}/reactivate")).status == 303
    form = {"email": "ada@example.org", "password": PASSWORD}
    assert (await ada.post("/login", form)).location == "/inbox"
    assert "An administrator changed the account" in (await ada.get("/audit")).text


async def test_access_is_taken_away(root: Visitor, ada: Visitor) -> None:
    here = f"/admin/accounts/{await account_of(ada)}"
    text, _ = await ada.world.core.tokens.create(await ada.actor(), "x", {Scope.MESSAGES_READ})
    page = await root.post(f"{here}/revoke-tokens")
    assert "All its tokens are revoked" in (await root.get(page.location)).text
    assert (await ada.world.ask("GET", "/api/v1/messages", text)).status == 401
    page = await root.post(f"{here}/end-sessions")
    assert "All its sessions are over" in (await root.get(page.location)).text
    assert (await ada.get("/inbox")).status == 303


async def test_an_account_is_deleted_when_it_is_meant(root: Visitor, ada: Visitor, bob: Visitor) -> None:
    here = f"/admin/accounts/{await account_of(ada)}"
    page = await root.post(f"{here}/delete", {"email": "bob@example.org"})
    assert (page.status, page.value_of("email")) == (422, "bob@example.org")
    assert "this account" in page.error_of("email")
    page = await root.post(f"{here}/delete", {"email": "ada@example.org"})
    assert page.status == 200
    assert "Receipt" in page.text
    assert (await ada.get("/inbox")).status == 303
    assert (await bob.get("/inbox")).status == 200
    assert (await root.post(f"{here}/delete", {"email": "ada@example.org"})).status in (404, 422)
    assert (await root.get("/admin/accounts/0192")).status == 404


async def test_tokens_of_services(root: Visitor, site: World) -> None:
    page = await root.post("/admin/tokens", {"name": "mxd on mx1", "policy": "on", "expires": "never"})
    assert page.status == 201
    text = token_in(page)
    assert (await site.ask("GET", "/api/internal/recipients?after=0", text)).status == 200
    assert "mxd on mx1" in (await root.get("/admin/tokens")).text
    page = await root.post(f"/admin/tokens/{text[3:19]}/rotate", {"overlap": "0"})
    assert (await site.ask("GET", "/api/internal/recipients?after=0", text)).status == 401
    page = await root.post(f"/admin/tokens/{text[3:19]}/revoke")
    assert text[3:19] not in (await root.get(page.location)).text
    page = await root.post("/admin/tokens", {"name": "x", "messages:read": "on", "expires": "7"})
    assert page.status == 422
    assert "Choose at least one" in page.text


async def test_whoever_rotates_their_own_token_goes_on(root: Visitor, site: World) -> None:
    (own,) = await site.core.service_tokens.list(operator())
    page = await root.post(f"/admin/tokens/{own.id}/rotate", {"overlap": "0"})
    assert token_in(page)
    assert (await root.get("/admin")).status == 200


async def test_everybodys_audit_log_and_the_figures(root: Visitor, ada: Visitor, bob: Visitor) -> None:
    await ada.world.core.trail.flush()
    page = await root.get("/admin/audit?action=account.register")
    assert page.text.count("<summary>Registered</summary>") == 2
    assert f"/admin/accounts/{await account_of(ada)}" in page.text
    page = await root.get(f"/admin/audit?action=account.register&account={await account_of(bob)}")
    assert page.text.count("<summary>Registered</summary>") == 1
    assert page.value_of("account") == await account_of(bob)
    assert (await root.get("/admin/audit?account=%27")).status == 422
    page = await root.get("/admin/stats")
    assert "<td>2</td>" in page.text
    await ada.world.core.trail.flush()
    assert await _outcomes(root, "admin.enter") == ["Done"]


async def _outcomes(root: Visitor, action: str) -> list[str]:
    """The outcomes of a deed, as the page shows them."""
    text = (await root.get(f"/admin/audit?action={action}")).text
    return re.findall(r'class="badge[^"]*">([^<]*)</span>', text)


async def test_attack_090_forms_from_elsewhere_change_nothing(root: Visitor, ada: Visitor) -> None:
    here = f"/admin/accounts/{await account_of(ada)}"
    for headers in ({}, {"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        for path in (f"{here}/suspend", f"{here}/delete", "/admin/tokens", "/admin/leave"):
            assert (await root.post(path, {"email": "ada@example.org"}, headers=headers)).status == 403
    assert (await ada.get("/inbox")).status == 200
