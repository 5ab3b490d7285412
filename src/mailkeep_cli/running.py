"""Running: the event loop, the signals that end it, and settings and core for a single command."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar

import uvloop

from mailkeep.bootstrap import Core, open_core
from mailkeep.config import Log, Settings
from mailkeep.settings_loader import load_settings
from mailkeep.telemetry import configure_logging

Result = TypeVar("Result")


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run to the end on uvloop."""
    return uvloop.run(work)


def settings_of_daemon() -> Settings:
    """Settings, with logging as they say, on standard output. Raises ConfigurationError."""
    settings = load_settings()
    configure_logging(settings.log, stream=sys.stdout)
    return settings


def settings_of_command() -> Settings:
    """Settings for a command that prints a result: only warnings are logged, on standard error."""
    settings = load_settings()
    configure_logging(Log(format="console", level="warning"), stream=sys.stderr)
    return settings


@asynccontextmanager
async def core_of_command() -> AsyncIterator[Core]:
    """Core, for the length of one command. Raises what `open_core` raises."""
    async with open_core(settings_of_command()) as core:
        yield core


async def until_stopped(service: AbstractAsyncContextManager[Any]) -> None:
    """Run a service until SIGTERM or SIGINT, then leave it: it finishes what is under way."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with service:
        # What is there by now stays. A full garbage collection that goes over it stops everything for a tenth of a
        # second, whenever a large mail has been taken apart.
        gc.collect()
        gc.freeze()
        await stopped.wait()
