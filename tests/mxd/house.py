"""A real core on SQLite with one customer, and mxd in front of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mailkeep.bootstrap import Core, open_core
from mailkeep.config import Settings
from mailkeep.domain.address import Address
from mailkeep.domain.message import MessageQuery, MessageSummary
from mailkeep.domain.scope import Actor
from mailkeep.storage.upgrade import upgrade_schema
from mailkeep_mxd.feed import LocalSource
from mailkeep_mxd.listeners import RunningMxd, run_mxd

PASSWORD: Final = "correct horse battery staple"


@dataclass(frozen=True, slots=True)
class House:
    """Core, a customer of it, and what that customer can see."""

    core: Core
    actor: Actor

    async def address(self, name: str) -> Address:
        """A new address of the customer, in full."""
        return await self.core.addresses.create(self.actor, address=name)

    async def messages(self) -> list[MessageSummary]:
        """The customer's mail, oldest first."""
        found, _ = await self.core.inbox.list(self.actor, MessageQuery(limit=200))
        return found[::-1]

    async def source(self, message: MessageSummary) -> bytes:
        download = await self.core.inbox.source(self.actor, message.id)
        return b"".join([chunk async for chunk in download.chunks])


def settings_for(directory: Path, **sections: Any) -> Settings:
    """Everything in `directory`, every listener on a free port; `sections` add to it."""
    lmtp = {"listen": "127.0.0.1:0", "hostname": "door.test", **sections.pop("lmtp", {})}
    return Settings.model_validate(
        {
            "data_dir": directory,
            "lmtp": lmtp,
            "smtp": {"listen": "127.0.0.1:0"},
            "policy": {"listen": "127.0.0.1:0"},
            "mail": {"domain": "here.test"},
            "tiers": {"free": {"addresses": 500}},
            **sections,
        }
    )


async def furnish(directory: Path) -> Actor:
    """Fill a directory with a database in which one customer has the addresses a, b and c@here.test."""
    settings = settings_for(directory)
    await upgrade_schema(settings)
    async with open_core(settings) as core:
        house = await customer(core, "owner@elsewhere.test")
        for name in ("a", "b", "c"):
            await house.address(f"{name}@here.test")
        return house.actor


@asynccontextmanager
async def open_house(directory: Path, actor: Actor) -> AsyncIterator[House]:
    """The core of a directory that was furnished."""
    async with open_core(settings_for(directory)) as core:
        yield House(core, actor)


async def customer(core: Core, email: str) -> House:
    """Another customer of the same core."""
    registration = await core.accounts.register(email, PASSWORD)
    session = await core.sessions.open(registration.user)
    return House(core, await core.sessions.actor(session.token))


@asynccontextmanager
async def open_door(settings: Settings, house: House) -> AsyncIterator[RunningMxd]:
    """mxd over the core of the house, in this process."""
    async with run_mxd(settings, house.core, LocalSource(house.core.recipients), smtp=True) as mxd:
        yield mxd
