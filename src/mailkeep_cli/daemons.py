"""`mailkeep mxd` and `mailkeep api`: the rooms apart, for production."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from mailkeep.bootstrap import make_data_dir, open_core
from mailkeep.config import Settings
from mailkeep_api.server import serve_http
from mailkeep_cli.application import build_application
from mailkeep_cli.running import run, settings_of_daemon, until_stopped
from mailkeep_mxd.feed import open_http_source
from mailkeep_mxd.listeners import run_mxd


def mxd() -> None:
    """Run the door for mail: LMTP and policy listeners."""
    run(until_stopped(_mxd(settings_of_daemon())))


def api() -> None:
    """Run the API and the pages."""
    run(until_stopped(_api(settings_of_daemon())))


@asynccontextmanager
async def _mxd(settings: Settings) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        # Where no mail is taken there is no database to reach: the host may stand in a DMZ.
        takes_mail = settings.lmtp.enabled or settings.smtp.enabled
        core = await stack.enter_async_context(open_core(settings)) if takes_mail else None
        make_data_dir(settings)
        source = await stack.enter_async_context(open_http_source(settings.recipients))
        await stack.enter_async_context(run_mxd(settings, core, source, smtp=settings.smtp.enabled))
        yield


@asynccontextmanager
async def _api(settings: Settings) -> AsyncIterator[None]:
    async with open_core(settings) as core, serve_http(build_application(core, settings), settings.http.listen):
        yield
