"""/usage: limits, plots with the numbers behind them, and the notice that goes with every page."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from sqlalchemy import update

from mailkeep.domain.account import Role
from mailkeep.storage.schema import accounts
from web.site import Visitor, colleague_of, plain_mail


async def use(ada: Visitor, share: float) -> None:
    tier = ada.world.core.settings.tier("free")
    async with ada.world.core.database.write() as connection:
        await connection.execute(update(accounts).values(storage_bytes=round(tier.storage_bytes * share)))


async def test_numbers_are_in_plots_and_in_the_table(ada: Visitor) -> None:
    for subject in ("one", "two"):
        await ada.receive(plain_mail(subject))
    page = await ada.get("/usage?days=7")
    assert page.status == 200
    today = datetime.now(UTC)
    words = f"{today.day} {today:%b %Y}"
    assert (
        f'aria-label="Messages by day, 7 days to {words}: 2 messages in all, most on {words} with 2 messages"'
        in page.text
    )
    [cells] = re.findall(rf"<time[^>]*>{words}</time></th>(.*?)</tr>", page.text)
    size = 2 * len(plain_mail("one"))
    assert re.findall(r'<td class="number">(.*?)</td>', cells) == ["2", str(size), "0"]
    assert page.text.count('class="bar-of-day"') == 2  # messages and bytes of today; a day without any has none
    assert re.search(r"<strong>2</strong> of [\d,]+", page.text)
    assert 'style="' not in page.text
    assert 'href="/usage" aria-current="page"' in page.text


async def test_a_span_that_is_not_offered(ada: Visitor, stranger: Visitor) -> None:
    assert [(await ada.get(f"/usage?days={days}")).status for days in ("7", "30", "90", "365", "1", "x")] == [
        200, 200, 200, 200, 400, 400,
    ]  # fmt: skip
    assert (await stranger.get("/usage")).status == 303


async def test_every_page_tells_of_storage_that_runs_full(ada: Visitor) -> None:
    pages = ("/inbox", "/addresses", "/settings", "/usage")
    async with colleague_of(ada, Role.VIEWER) as viewer:
        for share, words in ((0.79, ""), (0.8, "Your storage is 80 % full."), (1.0, "Your storage is full.")):
            await use(ada, share)
            for path in pages:
                for visitor in (ada, viewer):
                    text = (await visitor.get(path)).text
                    assert ("usage-notice" in text) is bool(words), (share, path)
                    assert words in text
    assert "usage-notice" not in (await ada.get("/docs/api")).text
