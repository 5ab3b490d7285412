"""Connections whose requests are no HTTP, answered as all others are: a problem, our headers, and nothing of aiohttp's.

aiohttp answers these itself, before there is a request that a middleware could see.
"""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from mailkeep.domain.ids import new_id
from mailkeep_api.headers import DEFAULTS, SERVER
from mailkeep_api.problems import INTERNAL, NOT_HTTP, problem_response


class Connection(web.RequestHandler):
    """One connection."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Logs as aiohttp does. Raises ConnectionError when an answer has begun."""
        super().handle_error(request, status, exc, message)
        request_id = new_id()
        response = problem_response(NOT_HTTP if status < 500 else INTERNAL, request_id)
        response.headers.update({**DEFAULTS, "Server": SERVER, "X-Request-Id": request_id})
        response.force_close()
        return response


class _Connections(web.Server):
    def __call__(self) -> web.RequestHandler:
        return Connection(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """An AppRunner whose connections are ours."""

    async def _make_server(self) -> web.Server:
        server: Final = await super()._make_server()
        return _Connections(
            server.request_handler,
            request_factory=server.request_factory,
            loop=asyncio.get_running_loop(),
            **self._kwargs,
        )
