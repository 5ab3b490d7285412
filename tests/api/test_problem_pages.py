"""Where the `type` of a problem leads."""

from __future__ import annotations

import re

import pytest

from api.world import World
from mailkeep_api.problem_pages import EXPLANATIONS
from mailkeep_api.problems import KNOWN

pytestmark = pytest.mark.asyncio(loop_scope="module")

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


async def test_every_problem_is_explained() -> None:
    assert set(EXPLANATIONS) == set(KNOWN)


@pytest.mark.parametrize("slug", [*KNOWN, "http-426"])
async def test_a_page_says_what_it_means_and_what_to_do(still_world: World, slug: str) -> None:
    page = await still_world.ask("GET", f"/problems/{slug}", headers={"Accept": BROWSER})
    told = (await still_world.ask("GET", f"/problems/{slug}")).json
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert page.headers["Vary"] == "Accept"
    text = page.body.decode()
    for heading in ("What it means", "What to do"):
        assert f"<h2>{heading}</h2>" in text
    assert not re.search(r"<(?:script|style|link|img)|https?://", text)
    assert set(told) == {"type", "title", "status", "meaning", "what_to_do"}
    assert told["type"] == f"/problems/{slug}"
    assert all(len(told[name]) > 10 for name in ("meaning", "what_to_do"))
    if slug in KNOWN:
        assert (told["title"], told["status"]) == (KNOWN[slug].title, KNOWN[slug].status)


@pytest.mark.parametrize("slug", ["nothing", "http-200", "http-999", "http-abc", "http-", "HTTP-404", "..%2fetc"])
async def test_other_names_are_not_there(still_world: World, slug: str) -> None:
    assert (await still_world.ask("GET", f"/problems/{slug}")).is_problem(404, "not-found")


@pytest.mark.parametrize("path", ["/nowhere", "/api/v1/account", "/api/v1/openapi.json?x=%"])
async def test_the_type_of_a_problem_leads_there(still_world: World, path: str) -> None:
    answer = await still_world.ask("GET", path)
    if answer.status >= 400:
        assert (await still_world.ask("GET", answer.json["type"])).json["title"] == answer.json["title"]
