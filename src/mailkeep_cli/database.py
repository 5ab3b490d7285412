"""`mailkeep db`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from mailkeep.config import Settings
from mailkeep.domain.clock import utc_now
from mailkeep.services.search_filling import SearchFilling
from mailkeep.services.search_indexer import SearchIndexer
from mailkeep.storage.database import open_database
from mailkeep.storage.upgrade import require_current_schema, upgrade_schema
from mailkeep_cli.running import run, settings_of_command

commands = typer.Typer()


@commands.callback()
def _group() -> None:
    """The database."""


@commands.command()
def upgrade() -> None:
    """Bring the schema up to date; makes the SQLite file when there is none."""
    revision = run(upgrade_database(settings_of_command()))
    typer.echo(f"the schema is at revision {revision}")


@commands.command()
def reindex(
    *,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Make the whole index anew, not only what is missing.")
    ] = False,
) -> None:
    """Put messages into the search index that are not in it. Can be interrupted, and run while mail comes in."""
    count = run(_reindex(settings_of_command(), rebuild=rebuild))
    typer.echo(f"messages put into the search index: {count}")


async def upgrade_database(settings: Settings) -> str:
    """The schema, and what a new one asks to be filled with; returns the revision.

    Raises DatabaseUnavailable, ConfigurationError.
    """
    revision = await upgrade_schema(settings)
    async with _filling(settings) as filling:
        if await filling.is_needed():
            await _fill(filling, rebuild=False)
    return revision


async def _reindex(settings: Settings, *, rebuild: bool) -> int:
    async with _filling(settings) as filling:
        return await _fill(filling, rebuild=rebuild)


@asynccontextmanager
async def _filling(settings: Settings) -> AsyncIterator[SearchFilling]:
    """On the database alone: whoever upgrades it need not be who runs the daemons, and leaves no files behind."""
    async with open_database(settings.database_url, settings.database) as database:
        await require_current_schema(database)
        yield SearchFilling(database, SearchIndexer(database, clock=utc_now), clock=utc_now)


async def _fill(filling: SearchFilling, *, rebuild: bool) -> int:
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("search index, accounts", total=None)
        return await filling.fill(
            lambda done, total: progress.update(task, completed=done, total=total), rebuild=rebuild
        )
