"""`mailkeep keys`."""

from __future__ import annotations

from typing import Annotated

import typer

from mailkeep.domain.scope import operator
from mailkeep_cli.running import core_of_command, run

commands = typer.Typer()


@commands.callback()
def _group() -> None:
    """The keys that sign log-ins."""


@commands.command()
def rotate(
    *,
    drop_previous: Annotated[
        bool, typer.Option("--drop-previous", help="Do not accept the key before any more: everybody logs in anew.")
    ] = False,
) -> None:
    """Make a new key. What the key before signed stays good, until the next rotation; running processes notice."""
    run(_rotate(drop_previous=drop_previous))
    typer.echo("all sessions ended" if drop_previous else "rotated: sessions stay")


async def _rotate(*, drop_previous: bool) -> None:
    async with core_of_command() as core:
        await core.sessions.rotate_key(operator(), drop_previous=drop_previous)
