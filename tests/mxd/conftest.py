"""Fixtures of the door for mail: a house with addresses, mxd in front of it, and someone who talks to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mailkeep_mxd.listeners import RunningMxd
from mxd.conversation import Conversation, conversation
from mxd.house import House, open_door, open_house, settings_for


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A customer with the addresses a@here.test, b@here.test and c@here.test."""
    async with open_house(settings_for(tmp_path)) as house:
        for name in ("a@here.test", "b@here.test", "c@here.test"):
            await house.address(name)
        yield house


@pytest.fixture
async def mxd(house: House, tmp_path: Path) -> AsyncIterator[RunningMxd]:
    async with open_door(settings_for(tmp_path), house) as running:
        yield running


@pytest.fixture
async def lmtp(mxd: RunningMxd) -> AsyncIterator[Conversation]:
    """Connected, greeted, and LHLO said."""
    async with conversation(mxd.lmtp) as talk:
        await talk.hear("220 door.test LMTP")
        await talk.play([("LHLO mta.test", "250-door.test")])
        yield talk


@pytest.fixture
async def smtp(mxd: RunningMxd) -> AsyncIterator[Conversation]:
    """Connected, greeted, and EHLO said."""
    async with conversation(mxd.smtp) as talk:
        await talk.hear("220 door.test ESMTP")
        await talk.play([("EHLO mta.test", "250-door.test")])
        yield talk
