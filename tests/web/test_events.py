"""Server-sent events, read as a browser reads them."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from web.site import Visitor, open_site, plain_mail, site_settings, visitor_of

PATIENCE_S = 5
MAX_STREAMS = 5


async def next_event(stream: aiohttp.ClientResponse) -> dict[str, str]:
    """The fields of the next block that is no comment."""
    while True:
        async with asyncio.timeout(PATIENCE_S):
            block = (await stream.content.readuntil(b"\n\n")).decode()
        fields = dict(line.split(":", 1) for line in block.splitlines() if not line.startswith(":") and line)
        if fields:
            return {name: value.strip() for name, value in fields.items()}


def events(visitor: Visitor, query: str = "", **headers: str) -> aiohttp.client._RequestContextManager:
    return visitor.client.get(f"{visitor.world.url}/inbox/events{query}", headers=headers)


async def test_new_mail_is_told_at_once(ada: Visitor) -> None:
    await ada.receive(plain_mail("Old"))
    async with events(ada) as stream:
        assert stream.headers["Content-Type"] == "text/event-stream"
        assert stream.headers["Cache-Control"] == "no-store"
        assert (await next_event(stream))["id"] == "1"
        message = await ada.receive(plain_mail("New"))
        assert await next_event(stream) == {"event": "mail", "id": str(message.seq), "data": str(message.seq)}


async def test_another_customers_mail_is_not_told(ada: Visitor, bob: Visitor) -> None:
    async with events(ada) as stream:
        assert (await next_event(stream))["id"] == "0"
        await bob.receive(plain_mail("Not for Ada"))
        message = await ada.receive(plain_mail("For Ada"))
        assert (await next_event(stream))["id"] == str(message.seq) == "1"


async def test_a_browser_that_lost_us_goes_on_where_it_was(ada: Visitor) -> None:
    for number in range(3):
        await ada.receive(plain_mail(f"Number {number}"))
    async with events(ada, "?after=3", **{"Last-Event-ID": "1"}) as stream:
        assert (await next_event(stream))["id"] == "1"
        assert (await next_event(stream))["id"] == "3"


async def test_a_session_that_ends_ends_the_stream(ada: Visitor) -> None:
    async with events(ada) as stream:
        await next_event(stream)
        await ada.world.core.sessions.close(await ada.actor())
        assert (await next_event(stream))["event"] == "logout"
        assert await stream.content.read() == b""


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}], ids=str)
async def test_attack_091_other_sites_get_no_stream(ada: Visitor, headers: dict[str, str]) -> None:
    assert (await ada.get("/inbox/events", headers=headers)).status == 403


async def test_a_server_that_stops_does_not_wait_for_open_pages(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as client:
        async with open_site(site_settings(tmp_path)) as site:
            ada = Visitor(site, client)
            await ada.register("ada@example.org")
            stream = await events(ada)
            await next_event(stream)
            started = loop.time()
        assert loop.time() - started < 3
        assert await stream.content.read() in (b"", b": still here\n\n")


async def test_one_account_has_so_many_streams_and_no_more(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        site = await stack.enter_async_context(open_site(site_settings(tmp_path, http={"max_waiters": MAX_STREAMS})))
        ada, bob = [await stack.enter_async_context(visitor_of(site)) for _ in range(2)]
        await ada.register("ada@example.org")
        await bob.register("bob@example.org")
        await fill_up(ada, bob)


async def fill_up(ada: Visitor, bob: Visitor) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(MAX_STREAMS):
            await next_event(await stack.enter_async_context(events(ada)))
        refused = await stack.enter_async_context(events(ada))
        assert refused.status == 429
        assert "Retry-After" in refused.headers
        assert (await stack.enter_async_context(events(bob))).status == 200
    for _ in range(100):  # the server sees a little later that they are closed
        async with events(ada) as stream:
            if stream.status == 200:
                return
        await asyncio.sleep(0.05)
    pytest.fail("streams that were closed still count")
