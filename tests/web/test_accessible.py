"""axe-core complains of no page, in no theme, at no width; and no page is wider than the window."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from importlib import resources
from typing import Any, Final

import pytest
import pytest_asyncio
from playwright.async_api import Page

from mailkeep_web.app import PAGES
from web.all_pages import NO_PAGES, SEEN, Seen, Site, open_all_pages, send
from web.browsers import NARROW, WIDE

RULES: Final = {
    "light": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]},
    "dark": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]},  # nothing but colours differs
}
AXE: Final = (resources.files("axe_playwright_python") / "axe.min.js").read_text("utf-8")
# The sender's document in its frame is left out (see NO_PAGES); the frame itself is looked at.
RUN_AXE: Final = """async ([rules, repeated]) => {
  const found = await axe.run(
    { include: ["html"], exclude: repeated ? [repeated] : [] },
    { runOnly: rules, iframes: false, preload: false, resultTypes: ["violations"] },
  );
  return found.violations.map(({ id, help, nodes }) => ({
    id, help, nodes: nodes.map((node) => `${node.target.join(" ")}: ${node.any[0]?.message ?? ""}`),
  }));
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with open_all_pages(tmp_path_factory.mktemp("site")) as site:
        yield site


def test_every_page_is_in_the_list() -> None:
    listed = {re.sub(r"\?.*", "", seen.path).format_map(_Any()) for seen in SEEN}
    pages = {route.path for page in PAGES for route in page.routes if route.method == "GET"}
    assert {re.sub(r"\{\w+\}", "*", path) for path in pages - NO_PAGES} <= listed
    assert pages >= NO_PAGES


class _Any(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "*"


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("seen", SEEN, ids=str)
async def test_nothing_to_complain_about(site: Site, seen: Seen) -> None:
    page = await site.contexts[seen.by].new_page()
    try:
        await page.goto(site.url + seen.path.format_map(site.ids))
        if seen.sent:
            await send(page, seen.sent)
        await page.evaluate(AXE)
        complaints = [f"{width} px wide" for width in await too_wide(page)] + [
            f"{theme} {viewport['width']}: {found['id']}: {found['help']}\n    " + "\n    ".join(found["nodes"])
            for viewport in (WIDE, NARROW)
            for theme in RULES
            for found in await look(page, theme, viewport, seen.repeated)
        ]
    finally:
        await page.close()
    assert not complaints, "\n".join(complaints)


async def too_wide(page: Page) -> list[int]:
    """The widths of the page where they are larger than the window's."""
    widths = []
    for viewport in (WIDE, NARROW):
        await page.set_viewport_size(viewport)
        width: int = await page.evaluate("document.documentElement.scrollWidth")
        widths += [width] if width > viewport["width"] else []
    return widths


async def look(page: Page, theme: Any, viewport: Any, repeated: str) -> list[dict[str, Any]]:
    await page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    await page.set_viewport_size(viewport)
    complaints: list[dict[str, Any]] = await page.evaluate(RUN_AXE, [RULES[theme], repeated])
    return complaints
