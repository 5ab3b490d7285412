"""`mailkeep db`."""

from __future__ import annotations

import typer

from mailkeep.storage.upgrade import upgrade_schema
from mailkeep_cli.running import run, settings_of_command

commands = typer.Typer()


@commands.callback()
def _group() -> None:
    """The database."""


@commands.command()
def upgrade() -> None:
    """Bring the schema up to date; makes the SQLite file when there is none."""
    revision = run(upgrade_schema(settings_of_command()))
    typer.echo(f"the schema is at revision {revision}")
