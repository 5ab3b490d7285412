"""What a sender hears of the scanner: a reply for each recipient, and the session goes on."""

from __future__ import annotations

import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import select

from mailkeep.bootstrap import open_core
from mailkeep.storage.schema import refusals
from mailkeep_mxd import replies
from mailkeep_mxd.listeners import RunningMxd
from mxd.conversation import Line, conversation
from mxd.house import House, open_door, settings_for
from services.clamd import Clamd
from services.infected import CLEAN, INFECTED

TIMEOUT_S = 3
ENVELOPE: tuple[Line, ...] = (
    ("MAIL FROM:<s@x.test>", "250"),
    ("RCPT TO:<a@here.test>", "250"),
    ("RCPT TO:<nobody@here.test>", "550"),
    ("RCPT TO:<b@here.test>", "250"),
    ("DATA", "354"),
)

Open = Callable[[Clamd, str], AbstractAsyncContextManager[tuple[RunningMxd, House]]]


@pytest.fixture
def scanning(house: House, tmp_path: Path) -> Open:
    """Opens a door behind which mail is scanned: by whom, in which mode."""

    @asynccontextmanager
    async def opened(clamd: Clamd, mode: str) -> AsyncIterator[tuple[RunningMxd, House]]:
        settings = settings_for(tmp_path, scan={"mode": mode, "clamd": clamd.place, "timeout_s": TIMEOUT_S})
        async with open_core(settings) as core:
            inner = House(core, house.actor)
            async with open_door(settings, inner) as mxd:
                yield mxd, inner

    return opened


async def say(mxd: RunningMxd, content: bytes, expected: str) -> None:
    """A mail to two recipients, both of which hear the same; then the session is as good as new."""
    async with conversation(mxd.lmtp) as talk:
        await talk.play([("LHLO mta.test", "220", "250-"), *ENVELOPE, (content + b".", expected, expected)])
        await talk.play([("NOOP", "250")])


@pytest.mark.parametrize("where", INFECTED)
async def test_infected_mail_is_refused_for_each_recipient(where: str, scanning: Open, clamd: Clamd) -> None:
    async with scanning(clamd, "reject") as (mxd, house):
        await say(mxd, INFECTED[where], str(replies.INFECTED))
        assert await house.messages() == []
        assert [path for path in house.core.settings.blob_dir.rglob("*") if path.is_file()] == []
        core = house.core
    async with open_core(core.settings) as core, core.database.read() as connection:
        told = (await connection.execute(select(refusals.c.code, refusals.c.status, refusals.c.reason))).all()
    assert [tuple(row) for row in told] == [(550, "5.7.1", replies.INFECTED.text)] * 2


@pytest.mark.parametrize("where", INFECTED)
async def test_infected_mail_is_stored_where_it_is_quarantined(where: str, scanning: Open, clamd: Clamd) -> None:
    async with scanning(clamd, "quarantine") as (mxd, house):
        await say(mxd, INFECTED[where], "250 2.0.0")
        assert len(await house.messages()) == 2
        for summary in await house.messages():
            assert (await house.core.inbox.read(house.actor, summary.id)).is_quarantined


@pytest.mark.parametrize("mode", ["quarantine", "reject"])
async def test_without_a_scanner_mail_waits(mode: str, scanning: Open, own_clamd: Clamd) -> None:
    async with scanning(own_clamd, mode) as (mxd, house):
        own_clamd.daemon.stop()
        await say(mxd, CLEAN, str(replies.TRY_AGAIN))
        own_clamd.start()
        await say(mxd, CLEAN, "250 2.0.0")
        assert len(await house.messages()) == 2


async def test_a_scanner_that_hangs_is_waited_for_so_long(scanning: Open, own_clamd: Clamd) -> None:
    async with scanning(own_clamd, "quarantine") as (mxd, house):
        own_clamd.daemon.send_signal(signal.SIGSTOP)
        started = time.monotonic()
        await say(mxd, CLEAN, str(replies.TRY_AGAIN))
        assert TIMEOUT_S <= time.monotonic() - started < TIMEOUT_S + 4
        own_clamd.daemon.send_signal(signal.SIGCONT)
        await say(mxd, CLEAN, "250 2.0.0")
        assert len(await house.messages()) == 2
