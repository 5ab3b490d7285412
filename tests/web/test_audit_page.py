"""The page of the audit log."""

from __future__ import annotations

import csv
import io
import json
import re
from html import unescape

import pytest

from mailkeep.domain.account import Role
from mailkeep.domain.clock import utc_now
from mailkeep_api.app import ROUTES
from mailkeep_web.app import PAGES
from mailkeep_web.audit_words import ACTIONS, action_words, outcome_words
from web.site import PASSWORD, Visitor, colleague_of

TODAY = f"{utc_now():%Y-%m-%d}"


def shown(text: str) -> list[str]:
    """The deeds on a page, in their order."""
    return [unescape(words) for words in re.findall(r"<summary>(.*?)</summary>", text)]


@pytest.fixture
async def busy(ada: Visitor) -> Visitor:
    """Ada, who has done this and that."""
    await ada.post("/tokens", {"name": "nightly", "messages:read": "on", "expires": "7"})
    await ada.get("/messages/0192")
    await ada.get("/settings/sessions")
    await ada.post("/login", {"email": "ada@example.org", "password": "not hers"})
    await ada.world.core.trail.flush()
    return ada


async def test_deeds_are_told_in_words(busy: Visitor) -> None:
    page = await busy.get("/audit")
    assert page.status == 200
    assert shown(page.text) == [
        "Logged in",
        "Looked at the sessions",
        "Opened a message",
        "Created a token",
        "Logged in",
        "Registered",
    ]
    for text in ("Not recognised", "Not found", "127.0.0.1", ">You</a>", "Somebody not logged in", "token.create"):
        assert text in page.text


@pytest.mark.parametrize(
    ("query", "deeds"),
    [
        ("action=token.create", ["Created a token"]),
        ("outcome=not-found", ["Opened a message"]),
        ("action=session.open&outcome=done", ["Logged in"]),
        (f"action=token.create&from={TODAY}&to={TODAY}", ["Created a token"]),
        ("to=2001-01-01", []),
        ("from=9999-12-31&to=9999-12-31", []),
        ("resource=0192", ["Opened a message"]),
        ("action=something.new", []),
    ],
)
async def test_filters(busy: Visitor, query: str, deeds: list[str]) -> None:
    page = await busy.get(f"/audit?{query}")
    assert page.status == 200
    assert shown(page.text) == deeds
    if not deeds:
        assert "No record is like that" in page.text
    for name, value in (pair.split("=") for pair in query.split("&")):
        assert f'value="{value}" selected' in page.text or page.value_of(name) == value


async def test_by_actor(busy: Visitor) -> None:
    user_id = (await busy.actor()).user_id
    page = await busy.get(f"/audit?actor={user_id}")
    assert shown(page.text)[-1] == "Registered"
    assert "Somebody not logged in" not in page.text
    token = (await busy.world.core.tokens.list(await busy.actor()))[0]
    text, _ = await busy.world.core.tokens.rotate(await busy.actor(), token.id, overlap=utc_now() - utc_now())
    await busy.world.ask("GET", "/api/v1/addresses/0192", text)
    await busy.world.core.trail.flush()
    page = await busy.get(f"/audit?actor={token.id}")
    assert "Token “nightly”" in page.text
    assert "Not allowed" in page.text


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=yesterday", "from"),
        ("to=2026-13-01", "to"),
        ("actor=%27%20or%201", "actor"),
        ("action=%3Cscript%3E", "action"),
        ("outcome=Not%20right", "outcome"),
    ],
)
async def test_what_is_wrong_with_a_filter_stands_beside_it(ada: Visitor, query: str, field: str) -> None:
    page = await ada.get(f"/audit?{query}")
    assert page.status == 422
    assert f'id="{field}-error"' in page.text
    assert f'aria-describedby="{field}-error"' in page.text
    assert "<script>" not in page.text
    assert "have to be mended" in page.text
    assert (await ada.get(f"/audit/export?{query}")).status == 422


async def test_page_by_page(ada: Visitor) -> None:
    for _ in range(60):
        await ada.world.core.sessions.open(await ada.world.core.accounts.user(await ada.actor()))
    page = await ada.get("/audit?action=session.open")
    assert len(shown(page.text)) == 50
    (older,) = re.findall(r'href="(/audit\?[^"]*before=[^"]*)"', page.text)
    assert "action=session.open" in older
    page = await ada.get(unescape(older))
    assert len(shown(page.text)) == 11
    assert 'href="/audit?action=session.open"' in page.text
    assert "before=" not in page.text
    assert (await ada.get("/audit?before=%27")).status == 400


async def test_the_export_keeps_the_filters(busy: Visitor) -> None:
    links = re.findall(r'href="(/audit/export[^"]*)"', (await busy.get("/audit?action=token.create")).text)
    as_csv, as_lines = [await busy.get(unescape(link)) for link in links]
    (row,) = csv.DictReader(io.StringIO(as_csv.text))
    assert (row["action"], row["detail"]) == ("token.create", "messages:read")
    assert as_csv.headers["Content-Disposition"] == 'attachment; filename="mailkeep-audit.csv"'
    assert json.loads(as_lines.text)["id"] == row["id"]


async def test_what_a_stranger_says_of_itself_is_text(ada: Visitor) -> None:
    form = {"email": "ada@example.org", "password": PASSWORD}
    headers = {"Origin": ada.world.url, "User-Agent": "<script>alert(1)</script>"}
    assert (await ada.post("/login", form, headers=headers)).status == 303
    page = await ada.get("/audit")
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert(1)" in page.text


async def test_roles_and_other_customers(busy: Visitor, bob: Visitor) -> None:
    page = await bob.get(f"/audit?actor={(await busy.actor()).user_id}")
    assert shown(page.text) == []
    async with colleague_of(busy, Role.VIEWER) as viewer:
        assert [(await viewer.get(path)).status for path in ("/audit", "/audit/export")] == [403, 403]
        assert 'href="/audit"' not in (await viewer.get("/settings")).text
    async with colleague_of(busy, Role.MEMBER) as member:
        page = await member.get("/audit")
        assert "Created a token" in page.text
        assert "A person of the account" in page.text


def test_every_deed_has_words() -> None:
    named = {route.audit for route in ROUTES} | {route.audit for page in PAGES for route in page.routes}
    assert named <= set(ACTIONS)
    assert action_words("something.new") == "something.new"
    assert outcome_words("http-499") == "http-499"
