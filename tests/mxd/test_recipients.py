"""The recipient table follows the feed over HTTP, and fails closed when it cannot."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mailkeep.config import Recipients, Settings
from mailkeep.domain.scope import Actor
from mailkeep.errors import ConfigurationError
from mailkeep_mxd import follower
from mailkeep_mxd.checkpoint import FILE_NAME, Checkpoint
from mailkeep_mxd.feed import LocalSource, check_api_url, open_http_source
from mailkeep_mxd.follower import FeedFollower
from mailkeep_mxd.listeners import RunningMxd, run_mxd
from mxd.conversation import Conversation, conversation
from mxd.feed_server import TOKEN, FeedServer, feed_server
from mxd.house import House, open_house, settings_for

MAX_AGE_S = 1.0


@dataclass
class Place:
    """An mxd that learns its recipients over HTTP."""

    house: House
    feed: FeedServer
    settings: Settings


@pytest.fixture
async def place(house: House, tmp_path: Path) -> AsyncIterator[Place]:
    async with feed_server(house.core) as feed:
        yield Place(house, feed, remote_settings(tmp_path, feed))


def remote_settings(tmp_path: Path, feed: FeedServer, **changes: Any) -> Settings:
    recipients = {"api_url": feed.url, "token": TOKEN, "max_age": MAX_AGE_S, "timeout_s": 0.4, **changes}
    return settings_for(tmp_path, recipients=recipients)


@asynccontextmanager
async def remote_door(place: Place) -> AsyncIterator[RunningMxd]:
    async with (
        open_http_source(place.settings.recipients) as source,
        run_mxd(place.settings, place.house.core, source, smtp=False) as mxd,
    ):
        yield mxd


async def ask(mxd: RunningMxd, *recipients: str) -> list[str]:
    """The replies to RCPT, without their text."""
    async with conversation(mxd.lmtp) as talk:
        await talk.play([("LHLO mta.test", "220", "250-"), ("MAIL FROM:<>", "250")])
        return [await one(talk, recipient) for recipient in recipients]


async def one(talk: Conversation, recipient: str) -> str:
    await talk.say(f"RCPT TO:<{recipient}@here.test>")
    return " ".join((await talk.reply()).split()[:2])


async def until_answered(mxd: RunningMxd, recipient: str, reply: str) -> None:
    async with asyncio.timeout(8):
        while await ask(mxd, recipient) != [reply]:  # noqa: ASYNC110 - there is no event on this side of the socket
            await asyncio.sleep(0.05)


async def test_a_change_is_in_force_within_a_second(place: Place) -> None:
    async with remote_door(place) as mxd:
        assert await ask(mxd, "a", "new") == ["250 2.1.5", "550 5.1.1"]
        created = await place.house.address("new@here.test")
        await place.house.core.addresses.update(place.house.actor, created.id, active=False)
        async with asyncio.timeout(1):
            await until_answered(mxd, "new", "550 5.2.1")
        await place.house.core.addresses.delete(place.house.actor, created.id)
        async with asyncio.timeout(1):
            await until_answered(mxd, "new", "550 5.1.1")


async def test_attack_030_mail_to_an_address_made_a_moment_ago_is_accepted(place: Place) -> None:
    async with remote_door(place) as mxd:
        for number in range(50):
            name = f"fresh{number}"
            assert await ask(mxd, name) == ["550 5.1.1"]
            await place.house.address(f"{name}@here.test")
            assert await ask(mxd, name) == ["250 2.1.5"]


async def test_misses_of_one_moment_share_one_pull(place: Place) -> None:
    place.settings = remote_settings(place.settings.data_dir, place.feed, timeout_s=5, max_age=30)
    async with remote_door(place) as mxd:
        before = place.feed.pulls
        replies = await asyncio.gather(*(ask(mxd, f"guess{number}") for number in range(100)))
        assert replies == [["550 5.1.1"]] * 100
        assert place.feed.pulls - before < 50


@pytest.mark.parametrize(
    "fault", ["stopped", "slow", "401", "403", "500", "html", "html called json", "another shape", "redirect"]
)
async def test_without_answers_everything_is_deferred_and_nothing_lost(place: Place, fault: str) -> None:
    async with remote_door(place) as mxd:
        assert await ask(mxd, "a", "nobody") == ["250 2.1.5", "550 5.1.1"]
        if fault == "stopped":
            await place.feed.stop()
        place.feed.fault = fault
        # A miss cannot be checked, so it is not refused for good; what is known still receives for a while.
        assert await ask(mxd, "b", "nobody") == ["250 2.1.5", "451 4.4.3"]
        await asyncio.sleep(MAX_AGE_S + 0.3)
        await until_answered(mxd, "a", "451 4.4.3")
        assert await ask(mxd, "a", "nobody") == ["451 4.4.3", "451 4.4.3"]
        place.feed.fault = ""
        if fault == "stopped":
            await place.feed.start()
        await until_answered(mxd, "a", "250 2.1.5")
        assert await ask(mxd, "nobody") == ["550 5.1.1"]


async def test_before_the_first_sync_everything_is_deferred(place: Place) -> None:
    place.feed.fault = "500"
    async with remote_door(place) as mxd:
        assert await ask(mxd, "a", "nobody") == ["451 4.4.3", "451 4.4.3"]
        place.feed.fault = ""
        await until_answered(mxd, "a", "250 2.1.5")


async def test_a_restart_does_not_need_the_api(place: Place) -> None:
    place.settings = remote_settings(place.settings.data_dir, place.feed, max_age=30)
    async with remote_door(place) as mxd:
        assert await ask(mxd, "a") == ["250 2.1.5"]
    await place.feed.stop()
    async with remote_door(place) as mxd:
        assert await ask(mxd, "a", "nobody") == ["250 2.1.5", "451 4.4.3"]
        await place.house.address("later@here.test")
        await place.feed.start()
        await until_answered(mxd, "later", "250 2.1.5")


async def test_an_old_snapshot_counts_from_its_own_time(place: Place) -> None:
    async with remote_door(place):
        pass
    await place.feed.stop()
    await asyncio.sleep(MAX_AGE_S + 0.1)
    async with remote_door(place) as mxd:
        assert await ask(mxd, "a") == ["451 4.4.3"]


async def test_a_damaged_snapshot_is_ignored(place: Place) -> None:
    async with remote_door(place):
        pass
    snapshot = place.settings.data_dir / FILE_NAME
    snapshot.write_bytes(snapshot.read_bytes()[:-3] + b"xyz")
    async with remote_door(place) as mxd:
        assert await ask(mxd, "a", "nobody") == ["250 2.1.5", "550 5.1.1"]
    snapshot.write_bytes(b"")
    await place.feed.stop()
    async with remote_door(place) as mxd:
        assert await ask(mxd, "a") == ["451 4.4.3"]


async def test_after_the_database_was_restored_the_table_is_made_anew(
    place: Place, tmp_path_factory: pytest.TempPathFactory, furnished: tuple[Path, Actor]
) -> None:
    backup, actor = furnished
    restored = tmp_path_factory.mktemp("restored")
    shutil.copytree(backup, restored, dirs_exist_ok=True)
    for number in range(5):
        await place.house.address(f"since{number}@here.test")
    async with remote_door(place) as mxd, open_house(restored, actor) as house:
        assert await ask(mxd, "since0") == ["250 2.1.5"]
        place.feed.core = house.core
        await until_answered(mxd, "since0", "550 5.1.1")
        assert await ask(mxd, "a") == ["250 2.1.5"]


async def test_a_feed_that_breaks_off_in_the_first_sync_accepts_nobody_yet(place: Place) -> None:
    place.feed.page_rows = 1
    place.feed.fault = "half"
    async with remote_door(place) as mxd:
        # One of the three has come already.
        assert await ask(mxd, "a", "b", "c") == ["451 4.4.3"] * 3
        place.feed.fault = ""
        await until_answered(mxd, "c", "250 2.1.5")
        assert await ask(mxd, "a", "nobody") == ["250 2.1.5", "550 5.1.1"]


async def test_a_reconcile_that_breaks_off_forgets_nobody(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower, "RECONCILE_S", 0.1)
    place.settings = remote_settings(place.settings.data_dir, place.feed, max_age=30)
    place.feed.page_rows = 1
    async with remote_door(place) as mxd:
        place.feed.fault = "half"
        await asyncio.sleep(1)
        assert await ask(mxd, "a", "b", "c", "nobody") == ["250 2.1.5"] * 3 + ["451 4.4.3"]
        created = await place.house.address("new@here.test")
        await place.house.core.addresses.delete(place.house.actor, created.id)
        place.feed.fault = ""
        await until_answered(mxd, "nobody", "550 5.1.1")
        assert await ask(mxd, "a", "b", "c", "new") == ["250 2.1.5"] * 3 + ["550 5.1.1"]


@pytest.mark.parametrize(("set_forward_s", "usable"), [(-3600, False), (3600, False), (10, True)])
async def test_attack_069_a_snapshot_is_not_made_young_by_a_clock_that_was_set(
    place: Place, set_forward_s: float, *, usable: bool
) -> None:
    async with remote_door(place):
        pass
    restarted = FeedFollower(LocalSource(place.house.core.recipients), max_age_s=60)
    snapshot = place.settings.data_dir / FILE_NAME
    await Checkpoint(restarted, snapshot, wall_clock=lambda: time.time() + set_forward_s).restore()
    assert restarted.is_usable is usable


@pytest.mark.parametrize(
    "url", ["http://mail.example.org", "ftp://127.0.0.1", "127.0.0.1:8080", "http://", "https://["]
)
def test_the_token_never_travels_in_the_clear(url: str) -> None:
    with pytest.raises(ConfigurationError):
        check_api_url(url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "http://[::1]:8080", "http://localhost", "https://api.test"])
def test_urls_that_will_do(url: str) -> None:
    check_api_url(url)


async def test_a_missing_token_is_a_matter_of_configuration() -> None:
    with pytest.raises(ConfigurationError, match="token create"):
        async with open_http_source(Recipients()):
            pass
