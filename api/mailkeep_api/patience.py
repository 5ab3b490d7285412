"""Waiting inside a request: until there is an answer, the server stops, or the client has left."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from aiohttp import web

from mailkeep.errors import Unavailable
from mailkeep_api.keys import STOPPING

Result = TypeVar("Result")

# aiohttp does not tell a handler that its client has left; a handler that writes nothing must look.
LOOK_AROUND_S: Final = 0.5


class ServerStopping(Unavailable):
    """This process ends; another one, or the next, can be asked again."""


async def while_serving(request: web.Request, work: Coroutine[Any, Any, Result]) -> Result:
    """What `work` gives; it is cancelled when this raises.

    Raises ServerStopping at once when the server begins to stop, ConnectionResetError soon after the client has left.
    """
    task = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future(request.app[STOPPING].wait())
    try:
        while True:
            await asyncio.wait((task, stopping), timeout=LOOK_AROUND_S, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            if stopping.done():
                raise ServerStopping("the server stops")
            if request.transport is None or request.transport.is_closing():
                raise ConnectionResetError("the client has left")
    finally:
        task.cancel()
        stopping.cancel()
        await asyncio.gather(task, stopping, return_exceptions=True)
