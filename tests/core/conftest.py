"""A real core on each engine, with customers in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from mailkeep.bootstrap import Core, open_core
from mailkeep.config import Settings
from mailkeep.domain.address import Address
from mailkeep.domain.message import MessageQuery, MessageSummary, Transport
from mailkeep.domain.recipient import Recipient
from mailkeep.domain.scope import Actor, Scope
from mailkeep.services.delivery_batches import Outcome
from mailkeep.services.ingest import AcceptedRecipient, Incoming
from mailkeep.storage.upgrade import upgrade_schema

PASSWORD: Final = "correct horse battery staple"
POLICY: Final = Actor(scopes=frozenset({Scope.POLICY}))


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer with a first address, and the door's view of it."""

    core: Core
    actor: Actor
    address: Address

    def recipient(self, *, account_id: str = "") -> Recipient:
        return Recipient(
            address=self.address.address,
            address_id=self.address.id,
            account_id=account_id or self.address.account_id,
            active=True,
            per_hour=100,
            over_quota=False,
        )

    async def messages(self) -> list[MessageSummary]:
        """Oldest first."""
        found, _ = await self.core.inbox.list(self.actor, MessageQuery(limit=200))
        return found[::-1]

    async def source(self, message: MessageSummary) -> bytes:
        download = await self.core.inbox.source(self.actor, message.id)
        return b"".join([chunk async for chunk in download.chunks])


def settings_for(directory: Path, database_url: str = "", **sections: Any) -> Settings:
    auth = {"password_cost": "least", **sections.pop("auth", {})}
    return Settings.model_validate(
        {"data_dir": directory / "data", "database": {"url": database_url}, "auth": auth, **sections}
    )


@pytest.fixture
async def core(tmp_path: Path, database_url: str) -> AsyncIterator[Core]:
    settings = settings_for(tmp_path, database_url)
    await upgrade_schema(settings)
    async with open_core(settings) as core:
        yield core


@pytest.fixture
async def alice(core: Core) -> Customer:
    return await new_customer(core, "alice@customer.test")


@pytest.fixture
async def bob(core: Core) -> Customer:
    return await new_customer(core, "bob@customer.test")


async def new_customer(core: Core, email: str) -> Customer:
    made = await core.accounts.register(email, PASSWORD)
    session = await core.sessions.open(made.user)
    return Customer(core, await core.sessions.actor(session.token), made.address)


async def deliver(core: Core, content: bytes, *recipients: Recipient | str, queue_id: str = "") -> list[Outcome]:
    """One transaction, its content in pieces. A recipient may be followed by the address that RCPT named."""
    accepted: list[AcceptedRecipient] = []
    for recipient in recipients:
        if isinstance(recipient, str):
            tag = recipient.partition("@")[0].partition("+")[2] or None
            accepted[-1] = AcceptedRecipient(recipient, tag, accepted[-1].recipient)
        else:
            accepted.append(AcceptedRecipient(recipient.address, None, recipient))
    incoming = Incoming("sender@elsewhere.test", tuple(accepted), Transport(client_ip="192.0.2.1"), queue_id)
    async with core.ingest.begin(incoming) as delivery:
        for start in range(0, len(content), 60_000):
            await delivery.feed(content[start : start + 60_000])
            await asyncio.sleep(0)
        return await delivery.finish()
