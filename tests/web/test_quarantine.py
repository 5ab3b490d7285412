"""Infected mail on the pages: a warning that names what was found, and no way to get it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from api.world import World
from mailkeep.mail.scan_probes import EICAR
from services.clamd import FOUND, Clamd
from services.infected import ATTACHED, CLEAN, INFECTED
from web.inspection import assert_is_a_page
from web.site import Visitor, open_site, site_settings
from web.test_pages import TABS


@pytest.fixture
async def site(tmp_path: Path, clamd: Clamd) -> AsyncIterator[World]:
    async with open_site(site_settings(tmp_path, scan={"mode": "quarantine", "clamd": clamd.place})) as world:
        yield world


@pytest.mark.parametrize("where", INFECTED)
async def test_every_tab_warns_and_links_to_nothing_infected(where: str, ada: Visitor) -> None:
    here = f"/messages/{(await ada.receive(INFECTED[where])).id}"
    for tab in TABS:
        page = await ada.get(f"{here}?tab={tab}")
        assert page.status == 200
        assert_is_a_page(page)
        assert f"Malware was found in this message: <bdi>{FOUND}</bdi>" in page.text
        assert f'"{here}/source"' not in page.text
        assert "html.txt" not in page.text
    source = await ada.get(f"{here}?tab=source")
    assert "The source is not shown and cannot be downloaded" in source.text
    blocked = await ada.get(f"{here}/source")
    assert blocked.status == 403
    assert_is_a_page(blocked)
    assert "This is blocked" in blocked.text


async def test_an_infected_attachment_has_no_link_and_its_neighbour_has(ada: Visitor) -> None:
    message = await ada.receive(ATTACHED)
    here = f"/messages/{message.id}"
    bad, good = (await ada.world.core.inbox.read(await ada.actor(), message.id)).attachments
    page = await ada.get(f"{here}?tab=attachments")
    assert f"Blocked: malware was found in it, <bdi>{FOUND}</bdi>" in page.text
    assert f"{here}/attachments/{bad.id}" not in page.text
    assert f'href="{here}/attachments/{good.id}"' in page.text
    for path in (f"{here}/attachments/{bad.id}", f"{here}/html.txt"):
        blocked = await ada.get(path)
        assert (blocked.status, EICAR in blocked.body) == (403, False)
        assert "This is blocked" in blocked.text
    assert (await ada.get(f"{here}/attachments/{good.id}")).body == b"harmless"
    assert "See the file." in (await ada.get(f"{here}?tab=text")).text
    assert "See the" in (await ada.get(f"{here}/html")).text


async def test_clean_mail_has_no_warning(ada: Visitor) -> None:
    here = f"/messages/{(await ada.receive(CLEAN)).id}"
    page = await ada.get(f"{here}?tab=source")
    assert "Malware" not in page.text
    assert "All is well." in page.text


async def test_the_list_says_which_message_is_infected(ada: Visitor) -> None:
    bad, good = await ada.receive(ATTACHED), await ada.receive(CLEAN)
    for path in ("/inbox", f"/inbox/rows?after={bad.seq - 1}", f"/inbox/rows?before={good.seq + 1}"):
        rows = (await ada.get(path)).text.split("<li data-seq")[1:]
        assert [(good.id in row, "Malware" in row) for row in rows] == [(True, False), (False, True)], path
