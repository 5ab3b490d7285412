"""The page of tokens, and what is made there at work."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import timedelta
from html import unescape

import pytest
from playwright.async_api import Browser, expect

from mailkeep.domain.account import Role
from mailkeep.domain.clock import utc_now
from mailkeep.domain.scope import GRANTABLE_SCOPES, SERVICE_SCOPES, Scope
from mailkeep.services.tokens import MAX_TOKENS
from mailkeep_web.token_words import SCOPE_WORDS, curl_command
from web.browsers import context_of, watching
from web.site import Page, Visitor, colleague_of, plain_mail

NIGHTLY = {"name": "nightly", "messages:read": "on", "expires": "7"}


def text_in(page: Page) -> str:
    (text,) = re.findall(r"<code>(mk_[0-9a-f]{16}_[\w-]{43})</code>", page.text)
    return str(text)


async def test_a_token_is_made_and_shown_once(ada: Visitor) -> None:
    assert "No token yet" in (await ada.get("/tokens")).text
    page = await ada.post("/tokens", {**NIGHTLY, "addresses:read": "on"})
    assert (page.status, page.headers["Cache-Control"]) == (201, "no-store")
    text = text_in(page)
    assert f"curl -H 'Authorization: Bearer {text}' '{ada.world.url}/api/v1/messages?limit=5'" in unescape(page.text)
    (token,) = await ada.world.core.tokens.list(await ada.actor())
    assert token.scopes == {Scope.MESSAGES_READ, Scope.ADDRESSES_READ}
    assert token.expires_at is not None
    assert abs(token.expires_at - utc_now() - timedelta(days=7)) < timedelta(minutes=5)
    page = await ada.get("/tokens")
    for shown in ("nightly", token.id, "addresses:read, messages:read", "never used"):
        assert shown in page.text
    assert text not in page.text
    assert (await ada.world.ask("GET", "/api/v1/messages", text)).status == 200


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"name": " "}, "name", "Give it a name"),
        ({"name": "x" * 101}, "name", "Give it a name"),
        ({"messages:read": ""}, "scopes", "Choose at least one"),
        ({"expires": "8"}, "expires", "Choose one of these"),
        ({"messages:read": "", "tokens:write": "on", "admin": "on"}, "scopes", "Choose at least one"),
    ],
)
async def test_what_is_wrong_stands_beside_it_and_nothing_is_lost(
    ada: Visitor, change: dict[str, str], field: str, words: str
) -> None:
    page = await ada.post("/tokens", {**NIGHTLY, **change})
    assert page.status == 422
    found = re.search(rf'id="{field}-error">.*?<span>(.*?)</span>', page.text, re.DOTALL)
    assert found is not None
    assert words in found[1]
    assert f'aria-describedby="{"name-hint name-error" if field == "name" else f"{field}-error"}"' in page.text
    assert page.value_of("name") == {**NIGHTLY, **change}["name"].strip()
    assert ('name="messages:read" checked' in page.text) is bool({**NIGHTLY, **change}["messages:read"])
    assert await ada.world.core.tokens.list(await ada.actor()) == []


async def test_too_many_tokens(ada: Visitor) -> None:
    for number in range(MAX_TOKENS):
        await ada.world.core.tokens.create(await ada.actor(), f"token {number}", {Scope.MESSAGES_READ})
    page = await ada.post("/tokens", NIGHTLY)
    assert page.status == 422
    assert "50 tokens at most" in page.text
    assert page.value_of("name") == "nightly"


async def test_rotation_with_and_without_overlap(ada: Visitor) -> None:
    before = text_in(await ada.post("/tokens", NIGHTLY))
    rotate = f"/tokens/{before[3:19]}/rotate"
    page = await ada.post(rotate, {"overlap": "3600"})
    after = text_in(page)
    assert (page.status, after[:20], after == before) == (200, before[:20], False)
    assert "is good until" in page.text
    assert "What it was before is good until" in (await ada.get("/tokens")).text
    assert [(await ada.world.ask("GET", "/api/v1/messages", each)).status for each in (before, after)] == [200, 200]
    page = await ada.post(rotate, {"overlap": "0"})
    assert "is worth nothing from now on" in page.text
    assert (await ada.world.ask("GET", "/api/v1/messages", after)).status == 401
    assert (await ada.post(rotate, {"overlap": "7"})).status == 422


async def test_revocation(ada: Visitor) -> None:
    text = text_in(await ada.post("/tokens", NIGHTLY))
    page = await ada.post(f"/tokens/{text[3:19]}/revoke")
    page = await ada.get(page.location)
    assert "The token is revoked" in page.text
    assert text[3:19] not in page.text
    assert (await ada.world.ask("GET", "/api/v1/messages", text)).status == 401


async def test_a_name_is_text(ada: Visitor) -> None:
    await ada.post("/tokens", {**NIGHTLY, "name": "<script>alert(1)</script>"})
    page = await ada.get("/tokens")
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert" in page.text


async def test_roles(ada: Visitor, bob: Visitor) -> None:
    token_id = text_in(await ada.post("/tokens", NIGHTLY))[3:19]
    for path in (f"/tokens/{token_id}/rotate", f"/tokens/{token_id}/revoke"):
        assert (await bob.post(path, {"overlap": "0"})).status == 404
    async with colleague_of(ada, Role.VIEWER) as viewer:
        assert (await viewer.get("/tokens")).status == 403
        assert (await viewer.post("/tokens", NIGHTLY)).status == 403
        assert (await viewer.post(f"/tokens/{token_id}/revoke")).status == 403
        assert 'href="/tokens"' not in (await viewer.get("/settings")).text
    async with colleague_of(ada, Role.MEMBER) as member:
        page = await member.get("/tokens")
        assert (page.status, 'name="account:write"' in page.text) == (200, False)
        assert (await member.post("/tokens", {**NIGHTLY, "messages:read": "", "account:write": "on"})).status == 422
        assert (await member.post("/tokens", NIGHTLY)).status == 201


async def test_a_token_from_the_page_works_with_curl(chromium: Browser, ada: Visitor) -> None:
    """Made in a browser at 360 px by keyboard, copied with its button, and pasted into a shell."""
    await ada.receive(plain_mail("For curl"))
    async with context_of(chromium, ada, viewport={"width": 360, "height": 740}) as context:
        await context.grant_permissions(["clipboard-read", "clipboard-write"], origin=ada.world.url)
        with watching(context, ada.world.url) as watch:
            page = await context.new_page()
            await page.goto(f"{ada.world.url}/tokens")
            await page.get_by_label("Name").fill("from a browser")
            await page.get_by_label("Change messages").focus()
            await page.keyboard.press("Space")
            await page.get_by_role("button", name="Create the token").press("Enter")
            await expect(page.get_by_role("heading", name="Your token “from a browser”")).to_be_visible()
            await page.get_by_role("button", name="Copy").nth(1).click()
            await expect(page.get_by_text("Copied")).to_be_visible()
            command: str = await page.evaluate("navigator.clipboard.readText()")
        assert (watch.foreign(), watch.console) == ([], [])
        answer = json.loads(await _shell(command))
        assert [item["subject"] for item in answer["items"]] == ["For curl"]

        await page.get_by_role("link", name="Back to the tokens").click()
        await expect(page.get_by_text("messages:read, messages:write")).to_be_visible()
        await page.get_by_text("Revoke", exact=True).click()
        await page.get_by_role("button", name="Revoke the token").click()
        await expect(page.get_by_text("The token is revoked")).to_be_visible()
        assert json.loads(await _shell(command))["type"] == "/problems/not-authenticated"


def test_every_scope_has_words_and_every_reading_one_a_command() -> None:
    assert set(SCOPE_WORDS) == (GRANTABLE_SCOPES | SERVICE_SCOPES)
    for scope in GRANTABLE_SCOPES:
        assert (curl_command("http://here", "mk_1", {scope}) is not None) is scope.value.endswith(":read"), scope


async def _shell(command: str) -> bytes:
    """As somebody would who pastes it, without the progress meter."""
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", command.replace("curl ", "curl --silent --max-time 20 ", 1), stdout=asyncio.subprocess.PIPE
    )
    answer, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0
    return answer
