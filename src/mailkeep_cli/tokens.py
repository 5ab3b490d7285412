"""`mailkeep token`."""

from __future__ import annotations

from typing import Annotated

import typer

from mailkeep.domain.scope import SERVICE_SCOPES, Scope
from mailkeep.errors import InvalidInput
from mailkeep_cli.running import core_of_command, run

commands = typer.Typer()


@commands.callback()
def _group() -> None:
    """Tokens for Mailkeep's own services."""


@commands.command()
def create(
    scope: Annotated[list[str], typer.Option(help=f"What it may do: {', '.join(sorted(SERVICE_SCOPES))}.")],
    name: Annotated[str, typer.Option(help="What it is for, as lists show it.")] = "",
) -> None:
    """Make a service token and print it: it is shown this once, and only its hash is kept."""
    known = {known.value for known in SERVICE_SCOPES}
    if not known.issuperset(scope):
        raise InvalidInput(f"unknown scope: choose from {', '.join(sorted(known))}")
    typer.echo(run(_create(name or "+".join(scope), {Scope(value) for value in scope})))


async def _create(name: str, scopes: set[Scope]) -> str:
    async with core_of_command() as core:
        token, _ = await core.tokens.create_service(name, scopes)
        return token
