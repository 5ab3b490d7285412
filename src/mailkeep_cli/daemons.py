"""`mailkeep mxd` and `mailkeep api`: the rooms apart, for production."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated

import structlog
import typer

from mailkeep.bootstrap import make_data_dir, open_core
from mailkeep.config import Settings
from mailkeep.errors import ConfigurationError
from mailkeep.settings_loader import load_settings
from mailkeep_api.server import serve_http
from mailkeep_cli.application import build_application
from mailkeep_cli.running import run, settings_of_daemon, until_stopped
from mailkeep_mxd.feed import open_http_source
from mailkeep_mxd.listeners import require_shareable_ports, run_mxd
from mailkeep_mxd.pulse import pulse
from mailkeep_mxd.workers import EXIT_WRONG, Workers

log: structlog.stdlib.BoundLogger = structlog.get_logger()


def mxd(
    *,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes that share the ports; mxd.workers when it is not given.")
    ] = None,
) -> None:
    """Run the door for mail: LMTP and policy listeners."""
    settings = settings_of_daemon()
    count = workers or settings.mxd.workers
    if count == 1:
        run(until_stopped(_mxd(settings)))
    elif not run(_supervise(settings, count)):
        raise typer.Exit(EXIT_WRONG)


def mxd_worker(number: int, pulse_descriptor: int) -> None:
    """One of several workers, as the supervisor starts it."""
    settings = settings_of_daemon()
    structlog.contextvars.bind_contextvars(worker=number)
    run(until_stopped(_worker(settings, number, pulse_descriptor)))


def api() -> None:
    """Run the API and the pages."""
    run(until_stopped(_api(settings_of_daemon())))


async def _supervise(settings: Settings, count: int) -> bool:
    """Until SIGTERM or SIGINT; False when no worker could be started. SIGHUP replaces the workers one by one.

    Raises ConfigurationError when the workers cannot share their ports.
    """
    require_shareable_ports(settings, smtp=settings.smtp.enabled)
    if settings.rates.counts_apart:
        log.warning("rates.counted_apart", workers=count)  # an address gets the rate of its tier from each of them
    workers = Workers(_worker_command, count=count, silence_s=settings.mxd.silence_s)
    renew = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, workers.stop)
    loop.add_signal_handler(signal.SIGHUP, renew.set)
    renewing = asyncio.create_task(_renew_when_asked(workers, renew))
    try:
        return await workers.run()
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)


async def _renew_when_asked(workers: Workers, asked: asyncio.Event) -> None:
    while True:
        await asked.wait()
        asked.clear()
        try:
            load_settings()
        except ConfigurationError:
            log.exception("workers.not_renewed")  # its text names the setting at fault, and no secret
        else:
            await workers.renew()


def _worker_command(number: int, pulse_descriptor: int) -> Sequence[str]:
    return (sys.executable, "-m", "mailkeep_cli", "mxd-worker", str(number), str(pulse_descriptor))


@asynccontextmanager
async def _worker(settings: Settings, number: int, pulse_descriptor: int) -> AsyncIterator[None]:
    async with pulse(pulse_descriptor) as say_ready, _mxd(settings, worker=number):
        say_ready()
        yield


@asynccontextmanager
async def _mxd(settings: Settings, *, worker: int = 0) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        # Where no mail is taken there is no database to reach: the host may stand in a DMZ.
        takes_mail = settings.lmtp.enabled or settings.smtp.enabled
        core = await stack.enter_async_context(open_core(settings)) if takes_mail else None
        make_data_dir(settings)
        source = await stack.enter_async_context(open_http_source(settings.recipients))
        await stack.enter_async_context(run_mxd(settings, core, source, smtp=settings.smtp.enabled, worker=worker))
        yield


@asynccontextmanager
async def _api(settings: Settings) -> AsyncIterator[None]:
    async with (
        open_core(settings) as core,
        core.sealing.running(),
        core.purge.running(),
        core.redating.running(),
        core.retention.running(),
        core.blob_check.running(),
        core.billing_events.running(),
        serve_http(build_application(core, settings), settings.http.listen),
    ):
        yield
