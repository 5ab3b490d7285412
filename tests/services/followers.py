"""Programs that want each message once: by asking again and again, by waiting, by the event stream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any, Final

import aiohttp

POLL_S: Final = 0.5
WAIT_S: Final = 20
PAGE: Final = 200

Follower = Callable[[aiohttp.ClientSession, str, int], Coroutine[Any, Any, list[int]]]


async def by_list(session: aiohttp.ClientSession, address: str, count: int) -> list[int]:
    """The seqs of `count` messages, as they were seen."""
    seen: list[int] = []
    cursor = 0
    while len(seen) < count:
        page = await _page(session, address=address, after=cursor)
        seen += _seqs(page)
        cursor = page["cursor"]
        if page["previous"] is None:
            await asyncio.sleep(POLL_S)
    return seen


async def by_wait(session: aiohttp.ClientSession, address: str, count: int) -> list[int]:
    seen: list[int] = []
    cursor = 0
    while len(seen) < count:
        page = await _page(session, address=address, after=cursor, wait=WAIT_S)
        assert page["items"] or page["timed_out"], page
        seen += _seqs(page)
        cursor = page["cursor"]
    return seen


async def by_events(session: aiohttp.ClientSession, address: str, count: int) -> list[int]:
    seen: list[int] = []
    async for item in messages_of_stream(session, address, after=0):
        seen.append(item["seq"])
        if len(seen) >= count:
            break
    return seen


async def messages_of_stream(
    session: aiohttp.ClientSession, address: str, *, after: int
) -> AsyncGenerator[dict[str, Any], None]:
    """Until the server ends the stream."""
    params = {"address": address, "after": str(after)}
    async with session.get("/api/v1/events", params=params, timeout=aiohttp.ClientTimeout()) as stream:
        assert stream.status == 200, await stream.text()
        async for line in stream.content:
            if line.startswith(b"data: "):
                yield json.loads(line[6:])


async def _page(session: aiohttp.ClientSession, **params: Any) -> Any:
    async with session.get("/api/v1/messages", params={"limit": PAGE, **params}) as response:
        assert response.status == 200, await response.text()
        return await response.json()


def _seqs(page: Any) -> list[int]:
    return [item["seq"] for item in reversed(page["items"])]
