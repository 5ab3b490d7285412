"""Every sample is stored, and served by every view without an error."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from api.views import ONE, may_be_missing, views_of
from api.world import Customer, World, open_world, settings_in
from samples.collection import Sample, all_samples
from samples.golden import seen_in

AS_SEEN = ("subject", "date", "message_id", "snippet", "defects")


@pytest.fixture
async def wide_world(tmp_path: Path, database_url: str) -> AsyncIterator[World]:
    async with open_world(settings_in(tmp_path / "data", database={"url": database_url})) as opened:
        yield opened


@pytest.fixture
def samples(database_url: str, *, full_size: bool) -> list[Sample]:
    """All of them; where the engine is a second one, the hostile ones and one in ten of the others."""
    found = all_samples()
    if full_size or database_url.startswith("sqlite"):
        return found
    return [sample for number, sample in enumerate(found) if number % 10 == 0 or sample.name.startswith("hostile/")]


@pytest.mark.timeout(400)  # thousands of requests: a quarter of a minute on a machine that does nothing else
async def test_every_view_of_every_sample(wide_world: World, samples: list[Sample]) -> None:
    ada = await wide_world.register("ada@example.org")
    views = await views_of(wide_world)
    for sample in samples:
        await wide_world.deliver(sample.source.read_bytes(), ada)
    ids = await _newest_first(wide_world, ada)
    for sample, message_id in zip(samples, ids[::-1], strict=True):
        await _look_at(wide_world, ada, views, sample, message_id)


async def _newest_first(world: World, ada: Customer) -> list[str]:
    ids: list[str] = []
    path = "/api/v1/messages?limit=200"
    while True:
        page = (await world.ask("GET", path, ada)).json
        ids += [item["id"] for item in page["items"]]
        if page["next"] is None:
            return ids
        path = f"/api/v1/messages?limit=200&before={page['next']}"


async def _look_at(world: World, ada: Customer, views: list[str], sample: Sample, message_id: str) -> None:
    source = sample.source.read_bytes()
    expected = seen_in(source)
    answers = {path: await world.ask("GET", path.format(message_id=message_id), ada) for path in views}
    for path, answer in answers.items():
        assert answer.status in ({200, 404} if may_be_missing(path, expected) else {200}), (sample.name, path, answer)
    shown = answers[ONE].json
    assert {name: shown[name] for name in AS_SEEN} == {name: expected[name] for name in AS_SEEN}, sample.name
    assert shown["text"] == (None if expected["text"] is None else "\n".join(expected["text"])), sample.name
    assert answers[f"{ONE}/source"].body == source, sample.name
    for file, of_sample in zip(shown["attachments"], expected["attachments"], strict=True):
        answer = await world.ask("GET", f"{ONE.format(message_id=message_id)}/attachments/{file['id']}", ada)
        assert hashlib.sha256(answer.body).hexdigest() == file["sha256"] == of_sample["sha256"], sample.name
