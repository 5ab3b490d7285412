"""Hints between processes over a real Redis: two cores on one database, as two processes have them."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog
from redis.asyncio import Redis as RedisClient

from core.conftest import POLICY, Customer, deliver, new_customer, settings_for
from mailkeep.bootstrap import Core, open_core
from mailkeep.domain.message import MessageQuery
from mailkeep.errors import ConfigurationError
from mailkeep.services import redis_hints
from mailkeep.services.redis_hints import CHANNEL, open_hints
from mailkeep.services.watching import Waited
from mailkeep.settings_loader import load_settings
from mailkeep.storage.upgrade import upgrade_schema
from services.redis import Redis

MAIL = b"Subject: x\r\n\r\n"


@pytest.fixture
async def doors(tmp_path: Path, redis_server: Redis) -> AsyncIterator[tuple[Core, Core]]:
    """Where mail comes in, and where somebody waits for it."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'mailkeep.db'}"
    settings = [
        settings_for(tmp_path / name, url, hints={"url": redis_server.url}, blobs={"dir": tmp_path / "blobs"})
        for name in ("mxd", "api")
    ]
    for each in settings:
        each.data_dir.mkdir(parents=True)
    await upgrade_schema(settings[0])
    async with open_core(settings[0]) as mxd, open_core(settings[1]) as api:
        yield mxd, api


@pytest.fixture
def only_hints(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks again by himself."""
    monkeypatch.setattr("mailkeep.services.hints.LOOK_AGAIN_S", 60.0)
    monkeypatch.setattr("mailkeep.services.arrivals.LOOK_AGAIN_S", 60.0)
    monkeypatch.setattr(redis_hints, "MAX_BACKOFF_S", 0.1)


async def begin_wait(api: Core, customer: Customer, *, after: int) -> asyncio.Task[Waited]:
    wait = asyncio.create_task(
        api.waits.wait(customer.actor, MessageQuery(after=after), count=1, timeout_s=30), name="wait"
    )
    await asyncio.sleep(0.3)
    assert not wait.done()
    return wait


async def subscribers(server: Redis) -> int:
    async with RedisClient.from_url(server.url) as client:
        [(_, count)] = await client.pubsub_numsub(CHANNEL)
        return int(count)


async def until_subscribed(server: Redis) -> None:
    async with asyncio.timeout(10):
        while not await subscribers(server):  # noqa: ASYNC110  it is another process that knows
            await asyncio.sleep(0.02)


@pytest.mark.usefixtures("only_hints")
async def test_mail_that_came_elsewhere_wakes_who_waits_here(doors: tuple[Core, Core], redis_server: Redis) -> None:
    mxd, api = doors
    alice = await new_customer(mxd, "alice@customer.test")
    wait = await begin_wait(api, alice, after=0)
    await until_subscribed(redis_server)
    await deliver(mxd, MAIL, alice.recipient())
    waited = await asyncio.wait_for(wait, 5)
    assert [message.seq for message in waited.page.items] == [1]


@pytest.mark.usefixtures("only_hints")
async def test_a_change_of_an_address_wakes_the_feed(doors: tuple[Core, Core], redis_server: Redis) -> None:
    mxd, api = doors
    alice = await new_customer(mxd, "alice@customer.test")
    cursor = (await api.recipients.changes(POLICY, 0)).cursor
    poll = asyncio.create_task(api.recipients.changes(POLICY, cursor, wait_s=30))
    await until_subscribed(redis_server)
    await mxd.addresses.delete(alice.actor, alice.address.id)
    changes = await asyncio.wait_for(poll, 5)
    assert [recipient.deleted for recipient in changes.recipients] == [True]


async def test_nobody_subscribes_who_is_not_waited_in(doors: tuple[Core, Core], redis_server: Redis) -> None:
    mxd, api = doors
    alice = await new_customer(mxd, "alice@customer.test")
    await deliver(mxd, MAIL, alice.recipient())
    await asyncio.sleep(0.2)
    assert await subscribers(redis_server) == 0
    await api.waits.wait(alice.actor, MessageQuery(after=1), count=1, timeout_s=0.2)
    await until_subscribed(redis_server)
    assert await subscribers(redis_server) == 1


@pytest.mark.timeout(30)
async def test_a_hint_that_is_under_way_does_not_hold_up_the_end(
    doors: tuple[Core, Core], redis_server: Redis, tmp_path: Path
) -> None:
    """The client lost the cancellation of what it was about to send, and the process stayed for ever."""
    mxd, _ = doors
    settings = settings_for(tmp_path / "again", mxd.settings.database_url, hints={"url": redis_server.url})
    settings.data_dir.mkdir(parents=True)
    for number in range(10):
        async with open_core(settings) as core:
            await new_customer(core, f"customer{number}@customer.test")
            core.hints.notify("last")


async def test_without_redis_a_hint_is_late_and_no_message_lost(doors: tuple[Core, Core], redis_server: Redis) -> None:
    mxd, api = doors
    alice = await new_customer(mxd, "alice@customer.test")
    wait = await begin_wait(api, alice, after=0)
    await until_subscribed(redis_server)
    with structlog.testing.capture_logs() as events:
        redis_server.daemon.kill()
        for seq in range(1, 4):
            await deliver(mxd, MAIL, alice.recipient())
            assert [message.seq for message in (await asyncio.wait_for(wait, 3)).page.items] == [seq]
            wait = asyncio.create_task(
                api.waits.wait(alice.actor, MessageQuery(after=seq), count=1, timeout_s=30), name="wait"
            )
        names = [event["event"] for event in events]
        assert names.count("hints.redis_unavailable") == 2  # one of each process
    redis_server.start()
    wait.cancel()


@pytest.mark.usefixtures("only_hints")
async def test_hints_are_back_when_redis_is(doors: tuple[Core, Core], redis_server: Redis) -> None:
    mxd, api = doors
    alice = await new_customer(mxd, "alice@customer.test")
    wait = await begin_wait(api, alice, after=0)
    await until_subscribed(redis_server)
    redis_server.daemon.kill()
    await asyncio.sleep(0.3)
    with structlog.testing.capture_logs() as events:
        redis_server.start()
        await until_subscribed(redis_server)
        async with asyncio.timeout(5):
            while not wait.done():
                await deliver(mxd, MAIL, alice.recipient())
                await asyncio.sleep(0.2)
        assert "hints.redis_back" in [event["event"] for event in events]


async def test_a_redis_that_hangs_holds_no_delivery_up(doors: tuple[Core, Core], redis_server: Redis) -> None:
    mxd, api = doors
    alice = await new_customer(mxd, "alice@customer.test")
    wait = await begin_wait(api, alice, after=0)
    os.kill(redis_server.daemon.pid, signal.SIGSTOP)
    started = time.monotonic()
    for _ in range(20):
        assert await deliver(mxd, MAIL, alice.recipient()) == [None]
    assert (await asyncio.wait_for(wait, 3)).page.items
    assert time.monotonic() - started < 5
    os.kill(redis_server.daemon.pid, signal.SIGCONT)


@pytest.mark.usefixtures("only_hints")
async def test_what_strangers_publish_is_no_more_than_a_name(doors: tuple[Core, Core], redis_server: Redis) -> None:
    mxd, api = doors
    alice = await new_customer(mxd, "alice@customer.test")
    wait = await begin_wait(api, alice, after=0)
    await until_subscribed(redis_server)
    async with RedisClient.from_url(redis_server.url) as client:
        for payload in (b"", b"\xff\x00", b"mail:", b"recipients\r\n", b"x" * 1_000_000):
            await client.publish(CHANNEL, payload)
    await deliver(mxd, MAIL, alice.recipient())
    assert (await asyncio.wait_for(wait, 5)).page.items
    assert len(api.hints._events) <= 1


@pytest.mark.parametrize("url", ["", "postgres://x", "redis://127.0.0.1:port/0", "redis://127.0.0.1/0?db=x"])
async def test_a_url_that_cannot_work(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"hints\.url"):
        async with open_hints(load_settings({"MAILKEEP_HINTS__URL": url}).hints):
            pass
