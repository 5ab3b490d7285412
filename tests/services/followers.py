"""Programs that want each message once: by asking again and again, by waiting, by the event stream.

Whoever is turned away for now (503) comes again after the time that `Retry-After` says, with the cursor they had.
"""

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
    while len(seen) < count:
        async for item in messages_of_stream(session, address, after=seen[-1] if seen else 0):
            seen.append(item["seq"])
            if len(seen) >= count:
                break
    return seen


async def messages_of_stream(
    session: aiohttp.ClientSession, address: str, *, after: int
) -> AsyncGenerator[dict[str, Any], None]:
    """Until the server ends the stream, or turns the caller away."""
    params = {"address": address, "after": str(after)}
    async with session.get("/api/v1/events", params=params, timeout=aiohttp.ClientTimeout()) as stream:
        if await _is_turned_away(stream):
            return
        async for line in stream.content:
            if line.startswith(b"data: "):
                yield json.loads(line[6:])


async def _page(session: aiohttp.ClientSession, **params: Any) -> Any:
    while True:
        async with session.get("/api/v1/messages", params={"limit": PAGE, **params}) as response:
            if not await _is_turned_away(response):
                return await response.json()


async def _is_turned_away(response: aiohttp.ClientResponse) -> bool:
    """For now; the time to wait is over then."""
    if response.status == 503:
        await asyncio.sleep(int(response.headers["Retry-After"]))
        return True
    assert response.status == 200, await response.text()
    return False


def _seqs(page: Any) -> list[int]:
    return [item["seq"] for item in reversed(page["items"])]
