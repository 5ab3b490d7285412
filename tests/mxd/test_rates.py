"""The rolling hour of an address: counted on accepted mail, by one process or by all together."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
import structlog
from pydantic import SecretStr
from sqlalchemy import update

from mailkeep.bootstrap import open_core
from mailkeep.config import Rates as RatesSettings
from mailkeep.domain.recipient import Recipient
from mailkeep.domain.scope import Actor, Scope
from mailkeep.errors import ConfigurationError
from mailkeep.settings_loader import load_settings
from mailkeep.storage import recipients, shared_counts
from mailkeep.storage.schema import accounts
from mailkeep_mxd.listeners import RunningMxd
from mailkeep_mxd.rates import HOUR_S, Rates, open_rates
from mxd.conversation import Conversation, conversation
from mxd.house import House, open_door, settings_for
from mxd.test_policy import ask, request
from services.redis import Redis

PER_HOUR: Final = 3
RECIPIENT: Final = Recipient("a@here.test", "1", "2", active=True, per_hour=PER_HOUR, over_quota=False)
TOO_MUCH: Final = "450 4.2.1 this address receives too much mail at present, try again later"


def counted_in(redis: Redis, *, timeout_s: float = 5) -> RatesSettings:
    return RatesSettings(storage_url=SecretStr(redis.url), timeout_s=timeout_s)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def strict_house(directory: Path, furnished: tuple[Path, Actor], **limits: Any) -> AsyncIterator[House]:
    """The house of these tests, with a tier of our own."""
    source, actor = furnished
    shutil.copytree(source, directory, dirs_exist_ok=True)
    tiers = {"free": {"addresses": 500, **limits}}
    async with open_core(settings_for(directory, tiers=tiers)) as core:
        yield House(core, actor)


@pytest.fixture
async def house(tmp_path: Path, furnished: tuple[Path, Actor]) -> AsyncIterator[House]:
    async with strict_house(tmp_path, furnished, received_per_hour=PER_HOUR) as house:
        yield house


@asynccontextmanager
async def greeted(mxd: RunningMxd) -> AsyncIterator[Conversation]:
    async with conversation(mxd.lmtp) as talk:
        await talk.hear("220 ")
        await talk.play([("LHLO mta.test", "250-")])
        yield talk


async def deliver(mxd: RunningMxd, recipient: str = "a@here.test") -> str:
    """One message; the reply to RCPT where it is refused, else that to the final dot."""
    async with greeted(mxd) as talk:
        await talk.play([("MAIL FROM:<x@y.test>", "250")])
        await talk.say(f"RCPT TO:<{recipient}>")
        reply = await talk.reply()
        if not reply.startswith("250"):
            return reply
        await talk.play([("DATA", "354")])
        await talk.say("Subject: hi\r\n\r\nhow are you?\r\n.")
        return await talk.reply()


async def test_the_hour_rolls() -> None:
    clock = Clock()
    rates = Rates(monotonic=clock)
    for _ in range(PER_HOUR):
        assert await rates.has_room(RECIPIENT)
        await rates.count([RECIPIENT])
        clock.now += 600
    assert not await rates.has_room(RECIPIENT)
    clock.now = 1000 + HOUR_S - 0.001
    assert not await rates.has_room(RECIPIENT)
    clock.now = 1000 + HOUR_S  # the first is over, and the second ten minutes later
    assert await rates.has_room(RECIPIENT)
    await rates.count([RECIPIENT])
    assert not await rates.has_room(RECIPIENT)
    clock.now += 599
    assert not await rates.has_room(RECIPIENT)
    clock.now += 1
    assert await rates.has_room(RECIPIENT)


async def test_what_is_over_leaves_memory() -> None:
    clock = Clock()
    rates = Rates(monotonic=clock)
    await rates.count(replace(RECIPIENT, address_id=str(number)) for number in range(1000))
    clock.now += HOUR_S
    await rates.count([RECIPIENT])
    hour = rates._hour
    assert (len(hour._times), len(hour._addresses), len(hour._counts)) == (1, 1, 1)


async def test_over_the_rate_at_rcpt_and_at_postfix(house: House, tmp_path: Path) -> None:
    async with open_door(settings_for(tmp_path), house) as mxd:
        for recipient in ("a@here.test", "A+tag@here.test", "a@here.test"):
            assert (await deliver(mxd, recipient)).startswith("250 2.0.0")
        assert await deliver(mxd) == TOO_MUCH
        assert await deliver(mxd, "a+tag@here.test") == TOO_MUCH
        assert await ask(mxd, request("a@here.test")) == [f"action=DEFER_IF_PERMIT {TOO_MUCH.removeprefix('450 ')}"]
        assert (await deliver(mxd, "b@here.test")).startswith("250 2.0.0")
    assert len(await house.messages()) == PER_HOUR + 1


async def test_only_what_was_stored_counts(house: House, tmp_path: Path) -> None:
    async with open_door(settings_for(tmp_path, lmtp={"max_message_bytes": 1000}), house) as mxd:
        for _ in range(PER_HOUR + 1):
            async with greeted(mxd) as talk:
                opening = [("MAIL FROM:<>", "250"), ("RCPT TO:<a@here.test>", "250"), ("DATA", "354")]
                await talk.play([*opening, ("x" * 2000 + "\r\n.", "552")])
        assert (await deliver(mxd)).startswith("250 2.0.0")


async def test_parallel_sessions_do_not_pass_the_limit(house: House, tmp_path: Path) -> None:
    async with open_door(settings_for(tmp_path), house) as mxd:
        replies = await asyncio.gather(*(deliver(mxd) for _ in range(20)))
        # What found no place then may come again.
        while sum(reply.startswith("250") for reply in replies) < PER_HOUR:
            replies.append(await deliver(mxd))
        assert await deliver(mxd) == TOO_MUCH
    assert len(await house.messages()) == PER_HOUR


async def test_a_place_is_held_while_the_transaction_lasts(house: House, tmp_path: Path) -> None:
    to_a = ("RCPT TO:<a@here.test>", "250")
    async with open_door(settings_for(tmp_path), house) as mxd, greeted(mxd) as first, greeted(mxd) as other:
        await first.play([("MAIL FROM:<>", "250"), to_a, to_a, to_a, ("RCPT TO:<a@here.test>", "450 4.2.1")])
        await other.play([("MAIL FROM:<>", "250"), ("RCPT TO:<a@here.test>", "450 4.2.1")])
        await first.play([("RSET", "250"), ("MAIL FROM:<>", "250")])
        await other.play([to_a, to_a])
        await first.play([to_a, ("RCPT TO:<a@here.test>", "450 4.2.1")])
        other.vanish()
        async with asyncio.timeout(5):
            while True:
                await first.say("RCPT TO:<a@here.test>")
                if (await first.reply()).startswith("250"):
                    break
                await asyncio.sleep(0.02)
        await first.play([to_a, ("LHLO again.test", "250-"), ("MAIL FROM:<>", "250"), to_a, to_a, to_a])


async def test_two_processes_count_together(house: House, tmp_path: Path, redis_server: Redis) -> None:
    settings = settings_for(tmp_path, rates={"storage_url": redis_server.url})
    async with open_door(settings, house) as one, open_door(settings, house) as other:
        for mxd in (one, other, one):
            assert (await deliver(mxd)).startswith("250 2.0.0")
        for mxd in (one, other):
            assert await deliver(mxd) == TOO_MUCH
            assert (await ask(mxd, request("a@here.test")))[0].startswith("action=DEFER_IF_PERMIT 4.2.1")


async def test_a_change_of_tier_keeps_the_count(redis_server: Redis) -> None:
    async with open_rates(counted_in(redis_server)) as one:
        await one.count([RECIPIENT] * PER_HOUR)
    async with open_rates(counted_in(redis_server)) as another:  # which has counted nothing itself
        assert not await another.has_room(RECIPIENT)
        assert await another.has_room(replace(RECIPIENT, per_hour=PER_HOUR + 1))
        assert not await another.has_room(replace(RECIPIENT, per_hour=1))


async def test_without_redis_each_goes_by_its_own_count(house: House, tmp_path: Path, redis_server: Redis) -> None:
    settings = settings_for(tmp_path, rates={"storage_url": redis_server.url})
    async with open_door(settings, house) as one, open_door(settings, house) as other:
        redis_server.daemon.kill()
        with structlog.testing.capture_logs() as events:
            for _ in range(PER_HOUR):
                assert (await deliver(one)).startswith("250 2.0.0")
            assert await deliver(one) == TOO_MUCH
        assert [event["event"] for event in events].count("rates.redis_unavailable") == 1
        assert (await deliver(other)).startswith("250 2.0.0")
        redis_server.start()


async def test_a_redis_that_was_started_again_counts_again(
    redis_server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_counts, "ASK_AGAIN_S", 0.0)
    async with open_rates(counted_in(redis_server)) as one, open_rates(counted_in(redis_server)) as other:
        await one.count([RECIPIENT])
        assert await other.has_room(RECIPIENT)  # so that it has a connection, which will be of no use
        redis_server.daemon.kill()
        assert await one.has_room(RECIPIENT)
        redis_server.start()  # it has forgotten what it was told, scripts included
        with structlog.testing.capture_logs() as events:
            await one.count([RECIPIENT] * PER_HOUR)
            assert not await other.has_room(RECIPIENT)
        assert [event["event"] for event in events] == ["rates.redis_back"]


async def test_a_redis_that_hangs_holds_nobody_up(redis_server: Redis) -> None:
    async with open_rates(counted_in(redis_server, timeout_s=0.2)) as rates:
        assert await rates.has_room(RECIPIENT)
        os.kill(redis_server.daemon.pid, signal.SIGSTOP)
        started = time.monotonic()
        assert [await rates.has_room(RECIPIENT) for _ in range(100)] == [True] * 100
        assert time.monotonic() - started < 1  # one of them waited
        os.kill(redis_server.daemon.pid, signal.SIGCONT)
        await rates.count([RECIPIENT] * PER_HOUR)  # not told to Redis, and known all the same
        assert not await rates.has_room(RECIPIENT)


@pytest.mark.parametrize("url", ["", "postgres://x", "redis://127.0.0.1:port/0", "redis://127.0.0.1/0?db=x"])
async def test_a_url_that_cannot_work(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"rates\.storage_url"):
        async with open_rates(load_settings({"MAILKEEP_RATES__STORAGE_URL": url}).rates):
            pass


async def test_a_full_account_and_room_again(tmp_path: Path, furnished: tuple[Path, Actor]) -> None:
    async with (
        strict_house(tmp_path, furnished, storage_mb=1) as house,
        open_door(settings_for(tmp_path), house) as mxd,
        greeted(mxd) as talk,
    ):
        opening = [("MAIL FROM:<>", "250"), ("RCPT TO:<a@here.test>", "250"), ("DATA", "354")]
        await talk.play([*opening, ("Subject: big\r\n\r\n" + "x" * 2**20 + "\r\n.", "250 2.0.0")])
        await talk.play([("MAIL FROM:<>", "250")])
        for recipient in ("a@here.test", "b@here.test"):  # the account is full, not the address
            assert await changes_within_a_second(talk, recipient) == "452 4.2.2 the mailbox is full"
        assert (await ask(mxd, request("a@here.test"))) == ["action=DEFER_IF_PERMIT 4.2.2 the mailbox is full"]
        [message] = await house.messages()
        await house.core.inbox.delete(house.actor, message.id)
        assert (await changes_within_a_second(talk, "a@here.test")).startswith("250 ")


async def test_another_tier_is_in_force_within_a_second(house: House, tmp_path: Path) -> None:
    async with open_door(settings_for(tmp_path), house) as mxd, greeted(mxd) as talk:
        for _ in range(PER_HOUR):
            assert (await deliver(mxd)).startswith("250 2.0.0")
        await talk.play([("MAIL FROM:<>", "250"), ("RCPT TO:<a@here.test>", "450 4.2.1")])
        account_id = house.actor.owner(Scope.ACCOUNT_READ)
        async with house.core.database.write() as connection:
            await connection.execute(update(accounts).where(accounts.c.id == account_id).values(tier="paid"))
            await recipients.touch_account(connection, account_id)
        assert (await changes_within_a_second(talk, "a@here.test")).startswith("250 ")


async def changes_within_a_second(talk: Conversation, recipient: str) -> str:
    """The first reply to RCPT that is of another class than the one just before, or the last one after a second."""
    deadline = time.monotonic() + 1
    first = reply = ""
    while (not first or reply[0] == first[0]) and time.monotonic() < deadline:
        await talk.say(f"RCPT TO:<{recipient}>")
        reply = await talk.reply()
        first = first or reply
        await asyncio.sleep(0.01)
    return reply


async def test_decisions_a_second(report_measured: Callable[[str], None]) -> None:
    rates = Rates()
    recipients = [replace(RECIPIENT, address_id=str(number)) for number in range(50_000)]
    await rates.count(recipients)
    started = time.process_time()
    for recipient in recipients:
        assert await rates.hold(recipient)
        rates.release(recipient.address_id)
    report_measured(f"{len(recipients) / (time.process_time() - started):,.0f} places held and released a second")
