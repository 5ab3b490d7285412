"""A running API over a real core, and what a test does with it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

from mailkeep.bootstrap import Core, open_core
from mailkeep.config import Settings
from mailkeep.domain.message import Transport
from mailkeep.domain.recipient import Recipient
from mailkeep.domain.scope import Actor, Scope
from mailkeep.services.ingest import AcceptedRecipient, Incoming
from mailkeep.storage.upgrade import upgrade_schema
from mailkeep_api.app import create_app
from mailkeep_api.server import serve_http

PASSWORD = "a quiet river bends twice"
POLICY = Actor(scopes=frozenset({Scope.POLICY}))


@dataclass(frozen=True)
class Answer:
    """A response, read to its end."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def is_problem(self, status: int, slug: str) -> bool:
        """Whether it is a problem document of that kind; says what it is otherwise."""
        assert (self.status, self.headers["Content-Type"].split(";")[0]) == (status, "application/problem+json"), self
        assert self.json["type"] == f"/problems/{slug}", self
        assert self.json["status"] == status
        assert self.json["request_id"] == self.headers["X-Request-Id"]
        return True


@dataclass(frozen=True)
class Customer:
    """Somebody who registered over the API, and is logged in."""

    email: str
    token: str
    account_id: str
    address: str
    address_id: str


@dataclass(frozen=True)
class World:
    """One API on loopback."""

    core: Core
    url: str
    client: aiohttp.ClientSession

    async def ask(self, method: str, path: str, caller: Customer | str | None = None, **options: Any) -> Answer:
        """Send a request, with the credentials of a customer or with a token as it is."""
        headers = CIMultiDict(options.pop("headers", {}))
        if caller is not None:
            token = caller.token if isinstance(caller, Customer) else caller
            headers["Authorization"] = f"Bearer {token}"
        async with self.client.request(
            method, f"{self.url}{path}", headers=headers, allow_redirects=False, **options
        ) as response:
            return Answer(response.status, response.headers.copy(), await response.read())

    async def register(self, email: str) -> Customer:
        """Register over the API, and log in past it: it counts requests."""
        answer = await self.ask("POST", "/api/v1/auth/register", json={"email": email, "password": PASSWORD})
        assert answer.status == 202, answer
        session = await self.core.sessions.open(await self.core.accounts.authenticate(email, PASSWORD))
        actor = await self.core.sessions.actor(session.token)
        (first,), _ = await self.core.addresses.list(actor)
        return Customer(
            email=email,
            token=session.token,
            account_id=first.account_id,
            address=first.address,
            address_id=first.id,
        )

    async def recipient(self, address: str) -> Recipient:
        changes = await self.core.recipients.changes(POLICY, 0)
        return next(recipient for recipient in changes.recipients if recipient.address == address)

    async def deliver(self, source: bytes, *customers: Customer, mail_from: str = "sender@example.org") -> None:
        """Put a mail in as the receiver does."""
        recipients = [
            AcceptedRecipient(address=customer.address, tag=None, recipient=await self.recipient(customer.address))
            for customer in customers
        ]
        transport = Transport(
            client_ip="192.0.2.7", client_name="mx.example.org", helo="mx.example.org", protocol="LMTP"
        )
        incoming = Incoming(mail_from=mail_from, recipients=tuple(recipients), transport=transport)
        async with self.core.ingest.begin(incoming) as delivery:
            await delivery.feed(source)
            assert await delivery.finish() == [None] * len(customers)

    async def only_message(self, customer: Customer) -> str:
        """The id of the one message that the customer has."""
        (item,) = (await self.ask("GET", "/api/v1/messages", customer)).json["items"]
        return str(item["id"])


def settings_in(directory: Path, **sections: Any) -> Settings:
    """With more requests a minute than a test makes, unless it says how many."""
    http = {"public_requests_per_minute": 1_000_000, **sections.pop("http", {})}
    tiers = sections.pop("tiers", {})
    tiers = {**tiers, "free": {"api_requests_per_minute": 1_000_000, **tiers.get("free", {})}}
    auth = {"password_cost": "least", **sections.pop("auth", {})}
    return Settings.model_validate({"data_dir": directory, "http": http, "tiers": tiers, "auth": auth, **sections})


@asynccontextmanager
async def fresh_core(settings: Settings) -> AsyncIterator[Core]:
    await upgrade_schema(settings)
    async with open_core(settings) as core:
        yield core


@asynccontextmanager
async def world_of(core: Core, app: web.Application) -> AsyncIterator[World]:
    async with serve_http(app, "127.0.0.1:0") as (host, port), aiohttp.ClientSession() as client:
        yield World(core=core, url=f"http://{host}:{port}", client=client)


@asynccontextmanager
async def open_world(settings: Settings) -> AsyncIterator[World]:
    async with fresh_core(settings) as core, world_of(core, create_app(core, settings)) as world:
        yield world
