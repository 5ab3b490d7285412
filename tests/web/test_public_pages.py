"""What strangers can read: plans, privacy, terms, whom to tell of a weakness, what crawlers may see, helpful errors."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from mailkeep.config import Settings
from mailkeep_web.app import PAGES
from mailkeep_web.routing import PublicRoute
from web.site import Visitor, open_site, site_settings, visitor_of

CONTACT = {"security_contact": "mailto:security@example.org", "security_expires": "2027-06-30T00:00:00Z"}
FOOTER = ("/pricing", "/docs/api", "/privacy", "/terms")
ONE_TIER: dict[str, Any] = {"tiers": {"paid": {"price": ""}}}


async def test_the_plans_are_those_of_the_settings(stranger: Visitor) -> None:
    page = await stranger.get("/pricing")
    shown = " ".join(re.sub(r"<[^>]+>", " ", page.text).split())
    for text in ("Free of charge", "£9 a month", "3 addresses", "50 addresses", "kept for 7 days", "kept for 90 days"):
        assert text in shown


async def test_one_plan_is_no_choice(tmp_path: Path) -> None:
    async with open_site(site_settings(tmp_path, **ONE_TIER)) as site, visitor_of(site) as visitor:
        assert (await visitor.get("/pricing")).status == 404
        for path in ("/", "/terms", "/privacy"):
            assert "/pricing" not in (await visitor.get(path)).text


async def test_the_footer_leads_to_what_everybody_may_know(stranger: Visitor, ada: Visitor) -> None:
    for path in ("/", "/login", "/register", "/nothing", *FOOTER):
        page = await stranger.get(path)
        footer = page.text[page.text.index("<footer") :]
        assert all(f'href="{link}"' in footer for link in FOOTER), path
    assert "ada@example.org" in (await ada.get("/privacy")).text  # a member stays one
    assert "<footer" not in (await ada.get("/inbox")).text


async def test_who_runs_this_is_said_or_said_to_be_unsaid(tmp_path: Path, stranger: Visitor) -> None:
    for path in ("/privacy", "/terms"):
        assert "they have not given their name" in (await stranger.get(path)).text
    site = {"operator": "Example <Ltd>", "contact": "hello@example.org"}
    async with open_site(site_settings(tmp_path / "named", site=site)) as world, visitor_of(world) as visitor:
        for path in ("/privacy", "/terms"):
            text = (await visitor.get(path)).text
            assert "Example &lt;Ltd&gt;" in text
            assert 'href="mailto:hello@example.org"' in text
            assert "not given" not in text


async def test_security_txt(tmp_path: Path, stranger: Visitor) -> None:
    assert (await stranger.get("/.well-known/security.txt")).status == 404
    http = {"public_url": "https://mail.example.org"}
    async with (
        open_site(site_settings(tmp_path / "told", site=CONTACT, http=http)) as site,
        visitor_of(site) as visitor,
    ):
        page = await visitor.get("/.well-known/security.txt")
        assert "/.well-known/security.txt" in (await visitor.get("/")).text
    assert page.headers["Content-Type"] == "text/plain; charset=utf-8"  # RFC 9116 section 3
    assert page.text.splitlines() == [
        "Contact: mailto:security@example.org",
        "Expires: 2027-06-30T00:00:00Z",
        "Preferred-Languages: en",
        "Canonical: https://mail.example.org/.well-known/security.txt",
    ]


@pytest.mark.parametrize(
    "site",
    [
        {"security_contact": "mailto:a@example.org"},
        {"security_expires": "2027-06-30T00:00:00Z"},
        {**CONTACT, "security_contact": "security@example.org"},
        {**CONTACT, "security_contact": "http://example.org/"},
        {**CONTACT, "security_contact": "mailto:a@example.org\nExpires: 2099-01-01T00:00:00Z"},
        {**CONTACT, "security_expires": "2027-06-30T00:00:00"},
        {"contact": "two words@example.org"},
    ],
    ids=repr,
)
def test_settings_that_would_make_no_good_page(site: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({"site": site})


async def test_crawlers_are_let_into_what_is_public_alone(stranger: Visitor) -> None:
    lines = (await stranger.get("/robots.txt")).text.splitlines()
    assert (lines[0], lines[-1]) == ("User-agent: *", "Disallow: /")
    allowed = {line.removeprefix("Allow: ").removesuffix("$") for line in lines[1:-1]}
    public = {route.path for page in PAGES for route in page.routes if isinstance(route, PublicRoute)}
    assert allowed - {"/static/"} <= public


async def test_the_style_guide_is_for_development_and_shows_every_macro(tmp_path: Path, stranger: Visitor) -> None:
    assert (await stranger.get("/styleguide")).status == 404
    async with (
        open_site(site_settings(tmp_path / "dev", site={"styleguide": True})) as site,
        visitor_of(site) as visitor,
    ):
        page = await visitor.get("/styleguide")
    assert page.status == 200
    templates = resources.files("mailkeep_web") / "templates"
    macros = re.findall(r"{% macro (\w+)\(", (templates / "components.html").read_text("utf-8"))
    guide = (templates / "styleguide.html").read_text("utf-8")
    assert [macro for macro in macros if not re.search(rf"{{{{-? ?.*\b{macro}\(", guide)] == []
    sheet = (resources.files("mailkeep_web") / "static" / "styleguide.css").read_text("utf-8")
    for colour in re.findall(r'class="swatch ([\w-]+)"', page.text):
        assert f".swatch.{colour}," in sheet


async def test_an_error_says_what_happened_and_what_to_do(stranger: Visitor, ada: Visitor) -> None:
    missing = await stranger.get("/nothing")
    assert missing.status == 404
    assert missing.headers["X-Request-Id"] in missing.text
    assert "To the start page" in missing.text
    page = await ada.get("/nothing")
    assert "To the inbox" in page.text
    assert "ada@example.org" in page.text  # and the way back in the bar
    wrong = await stranger.post("/privacy")
    assert wrong.status == 405
    assert "does not do that" in wrong.text
    for path in ("//evil.example/x", "/\\evil.example"):
        assert 'href="//' not in (await stranger.get(path)).text
