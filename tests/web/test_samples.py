"""Every page of a sample is shown."""

from __future__ import annotations

import pytest

from mailkeep_web.pages.message import Tab
from samples.collection import Sample, all_samples
from web.site import Visitor


@pytest.fixture
def samples(*, full_size: bool) -> list[Sample]:
    """All of them at full size, else those that people are meant to look at and one in ten of the others."""
    found = all_samples()
    shipped = [sample for sample in found if sample.name.startswith("shipped/")]
    return found if full_size else shipped + found[::10]


@pytest.mark.timeout(900)
async def test_every_page_of_every_sample(ada: Visitor, samples: list[Sample]) -> None:
    for sample in samples:
        message = await ada.receive(sample.source.read_bytes())
        for tab in Tab:
            page = await ada.get(f"/messages/{message.id}?tab={tab}")
            assert page.status == 200, (sample.name, tab, page.text)
        assert (await ada.get(f"/messages/{message.id}/source")).body == sample.source.read_bytes()
        has_html = (await ada.world.core.inbox.read(await ada.actor(), message.id)).html is not None
        for view in ("html", "html.txt"):
            page = await ada.get(f"/messages/{message.id}/{view}")
            assert page.status == 200 or not has_html, (sample.name, view, page.text)
