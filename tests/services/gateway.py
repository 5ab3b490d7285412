"""What stands between mxd and the API in a test: HTTPS in front of it, and every way to fail."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from services.certificates import Certificate

HTML = "<html><body>Please sign in.</body></html>"
SLOW_S = 6
FAREWELL_S = 0.1


class Gateway:
    """Passes requests on to `api_url`, until it is stopped or `fault` is set: `slow`, `html`, `empty`."""

    def __init__(self, port: int, api_url: str) -> None:
        self.fault = ""
        self._port = port
        self._api_url = api_url
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None

    async def start(self, certificate: Certificate) -> None:
        """Listen, and show this certificate; whoever is connected is cut off."""
        await self.stop()
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate.chain)
        # Not by a site of aiohttp: whoever hangs up without a farewell would keep the connection for 30 s.
        assert self._runner.server is not None
        self._server = await asyncio.get_running_loop().create_server(
            self._runner.server,
            "127.0.0.1",
            self._port,
            ssl=context,
            reuse_address=True,
            ssl_shutdown_timeout=FAREWELL_S,
        )

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
            await asyncio.sleep(2 * FAREWELL_S)

    async def _answer(self, request: web.Request) -> web.Response:
        match self.fault:
            case "slow":
                await asyncio.sleep(SLOW_S)
            case "html":
                return web.Response(text=HTML, content_type="text/html")
            case "empty":
                return web.json_response({"items": [], "cursor": 0, "more": False})
        headers = {"Authorization": request.headers["Authorization"]}
        async with (
            aiohttp.ClientSession() as client,
            client.request(request.method, self._api_url + request.path_qs, headers=headers) as answer,
        ):
            return web.Response(
                status=answer.status, body=await answer.read(), content_type=answer.headers["Content-Type"]
            )


@asynccontextmanager
async def gateway(port: int, api_url: str, certificate: Certificate) -> AsyncIterator[Gateway]:
    """Listens from the start, until the block ends."""
    made = Gateway(port, api_url)
    await made.start(certificate)
    try:
        yield made
    finally:
        await made.stop()
