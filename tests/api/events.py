"""Server-sent events, read as a client reads them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import aiohttp

from api.world import Customer, World

PATIENCE_S = 5


@dataclass(frozen=True)
class Event:
    name: str
    id: str
    data: str

    @property
    def message(self) -> Any:
        return json.loads(self.data)


def open_stream(
    world: World, caller: Customer | str, query: str = "", headers: Mapping[str, str] | None = None
) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
    token = caller.token if isinstance(caller, Customer) else caller
    return world.client.get(
        f"{world.url}/api/v1/events{query}", headers={"Authorization": f"Bearer {token}", **(headers or {})}
    )


async def next_block(stream: aiohttp.ClientResponse, *, patience_s: float = PATIENCE_S) -> Event:
    """The next block, comments left out: an event, or an id alone."""
    async with asyncio.timeout(patience_s):
        block = (await stream.content.readuntil(b"\n\n")).decode()
    fields = dict(line.split(": ", 1) for line in block.splitlines() if line and not line.startswith(":"))
    return Event(fields.get("event", ""), fields.get("id", ""), fields.get("data", ""))


async def next_message(stream: aiohttp.ClientResponse, *, patience_s: float = PATIENCE_S) -> Event:
    while True:
        event = await next_block(stream, patience_s=patience_s)
        if event.name == "message":
            return event
