"""`make screenshots`: every page as those see it who may, in both themes, at the width of a telephone and of a desk."""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from pathlib import Path
from typing import Final, Literal

from services.daemon import ServiceMissing, find_program
from web.all_pages import SEEN, Seen, Site, open_all_pages, send
from web.browsers import NARROW, WIDE

OUTPUT: Final = Path("screenshots")
THEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")


async def take_all(output: Path) -> int:
    """How many files were written."""
    with tempfile.TemporaryDirectory(prefix="mailkeep-screenshots-") as directory:
        async with open_all_pages(Path(directory)) as site:
            for number, seen in enumerate(SEEN):
                await _take(site, seen, output / f"{number:02}-{_name(seen)}")
    return len(SEEN) * len(THEMES) * 2


async def _take(site: Site, seen: Seen, name: Path) -> None:
    page = await site.contexts[seen.by].new_page()
    try:
        await page.goto(site.url + seen.path.format_map(site.ids))
        if seen.sent:
            await send(page, seen.sent)
        for viewport in (WIDE, NARROW):
            await page.set_viewport_size(viewport)
            for theme in THEMES:
                await page.emulate_media(color_scheme=theme, reduced_motion="reduce")
                path = name.with_name(f"{name.name}-{viewport['width']}-{theme}.png")
                await page.screenshot(path=path, full_page=not seen.repeated)
    finally:
        await page.close()


def _name(seen: Seen) -> str:
    return re.sub(r"[^a-z0-9]+", "-", str(seen).lower()).strip("-")


def main() -> None:
    try:
        find_program("chromium")
    except ServiceMissing as missing:
        sys.exit(str(missing))
    OUTPUT.mkdir(exist_ok=True)
    count = asyncio.run(take_all(OUTPUT))
    sys.stdout.write(f"{count} files in {OUTPUT}/\n")


if __name__ == "__main__":
    main()
