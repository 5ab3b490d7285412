"""The pulse of a worker: a byte a second from its event loop to the supervisor, over a pipe.

A loop that hangs sends none, whatever it hangs in; that is what the supervisor's watchdog looks for.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

import structlog

ALIVE: Final = b"."
READY: Final = b"!"
BEAT_S: Final = 1.0

log: structlog.stdlib.BoundLogger = structlog.get_logger()


@asynccontextmanager
async def pulse(descriptor: int) -> AsyncIterator[Callable[[], None]]:
    """Beats until the block ends. Gives what says that the worker is ready, which is to be called once."""
    os.set_blocking(descriptor, False)
    beating = asyncio.create_task(_beat(descriptor))
    try:
        yield lambda: _write(descriptor, READY)
    finally:
        beating.cancel()
        with suppress(asyncio.CancelledError):
            await beating


async def _beat(descriptor: int) -> None:
    try:
        while True:
            _write(descriptor, ALIVE)
            await asyncio.sleep(BEAT_S)
    except BrokenPipeError:
        # Nobody would restart this worker, stop it, or know of it.
        log.warning("worker.orphaned")
        signal.raise_signal(signal.SIGTERM)


def _write(descriptor: int, beat: bytes) -> None:
    with suppress(BlockingIOError):  # the supervisor is behind and has beats enough to read
        os.write(descriptor, beat)
