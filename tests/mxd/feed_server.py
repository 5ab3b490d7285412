"""The recipients feed over real HTTP, out of a real core, and able to misbehave in every way a network can."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Final

from aiohttp import web

from mailkeep.bootstrap import Core
from mailkeep.domain.scope import Actor, Scope
from mailkeep_mxd.feed import PATH

TOKEN: Final = "mk_policy_secret"
HTML: Final = "<html><body>sign in</body></html>"


class FeedServer:
    """Answers like the API does until `fault` is set. `pulls` are the requests that did not wait."""

    def __init__(self, core: Core) -> None:
        self.fault = ""
        self.pulls = 0
        self.page_rows = 10_000
        self.url = ""
        self.core = core
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def start(self) -> None:
        """Listen; on the same port again after `stop`."""
        app = web.Application()
        app.router.add_get(PATH, self._answer)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self._port}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        wait_s = float(request.query["wait"])
        self.pulls += wait_s == 0
        if self.fault == "slow":
            await asyncio.sleep(1.5)  # longer than any timeout in these tests
        if (broken := self._broken()) is not None:
            return broken
        if request.headers["Authorization"] != f"Bearer {TOKEN}":
            return web.json_response({}, status=401)
        actor = Actor(scopes=frozenset({Scope.POLICY}))
        after, limit = int(request.query["after"]), min(self.page_rows, int(request.query["limit"]))
        page = await self.core.recipients.changes(actor, after, wait_s=wait_s, limit=limit)
        if self.fault == "half" and after > 0:
            return await _half_an_answer(request)
        items = [asdict(recipient) for recipient in page.recipients]
        return web.json_response({"items": items, "cursor": page.cursor, "more": page.more})

    def _broken(self) -> web.StreamResponse | None:
        match self.fault:
            case "401" | "403" | "500":
                return web.json_response({"type": "about:blank"}, status=int(self.fault))
            case "html":
                return web.Response(text=HTML, content_type="text/html")
            case "html called json":
                return web.Response(text=HTML, content_type="application/json")
            case "another shape":
                return web.json_response({"items": [{"address": "a@here.test"}], "cursor": 1, "more": False})
            case "redirect":
                return web.HTTPFound("http://127.0.0.1:1/")
        return None


async def _half_an_answer(request: web.Request) -> web.StreamResponse:
    """What is heard of a server that is killed while it answers."""
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"items": [{"address": "a@here')
    if request.transport is not None:
        request.transport.close()
    return response


@asynccontextmanager
async def feed_server(core: Core) -> AsyncIterator[FeedServer]:
    server = FeedServer(core)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
