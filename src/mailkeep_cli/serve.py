"""`mailkeep serve`: everything in one process, on SQLite and files unless configured otherwise."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import typer

from mailkeep.bootstrap import open_core
from mailkeep.config import Settings
from mailkeep_api.server import serve_http
from mailkeep_cli.application import build_application
from mailkeep_cli.database import upgrade_database
from mailkeep_cli.running import run, settings_of_daemon, until_stopped
from mailkeep_cli.welcome import greet
from mailkeep_mxd.feed import LocalSource
from mailkeep_mxd.listeners import run_mxd


def serve(
    *,
    welcome: Annotated[
        bool, typer.Option("--welcome", help="Make a first customer and print how to log in and how to send a mail.")
    ] = False,
) -> None:
    """Run everything in this process: LMTP, SMTP for development, policy, API and pages."""
    settings = settings_of_daemon()
    settings = settings.model_copy(update={"smtp": settings.smtp.model_copy(update={"enabled": True})})
    run(until_stopped(_everything(settings, welcome=welcome)))


@asynccontextmanager
async def _everything(settings: Settings, *, welcome: bool) -> AsyncIterator[None]:
    await upgrade_database(settings)
    async with (
        open_core(settings) as core,
        core.sealing.running(),
        core.purge.running(),
        core.redating.running(),
        core.retention.running(),
        core.blob_check.running(),
        core.billing_events.running(),
        serve_http(build_application(core, settings), settings.http.listen),
        run_mxd(settings, core, LocalSource(core.recipients), smtp=settings.smtp.enabled),
    ):
        if welcome:
            await greet(core, settings)
        yield
