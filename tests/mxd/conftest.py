"""Fixtures of the door for mail: a house with addresses, mxd in front of it, and someone who talks to it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mailkeep.domain.scope import Actor
from mailkeep_mxd.listeners import RunningMxd
from mxd.conversation import Conversation, conversation
from mxd.house import House, furnish, open_door, open_house, settings_for


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Actor]:
    """A data directory to be copied, so that migrations run and a password is hashed only once."""
    directory = tmp_path_factory.mktemp("furnished")
    return directory, asyncio.run(furnish(directory))


@pytest.fixture
async def house(tmp_path: Path, furnished: tuple[Path, Actor]) -> AsyncIterator[House]:
    """A customer with the addresses a@here.test, b@here.test and c@here.test."""
    directory, actor = furnished
    shutil.copytree(directory, tmp_path, dirs_exist_ok=True)
    async with open_house(tmp_path, actor) as house:
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
