"""`mailkeep token`."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from mailkeep.domain.account import ApiToken
from mailkeep.domain.clock import rfc3339
from mailkeep.domain.scope import SERVICE_SCOPES, Scope, operator
from mailkeep.errors import InvalidInput
from mailkeep_cli.running import core_of_command, run

commands = typer.Typer()

TokenId = Annotated[str, typer.Argument(help="The token's id: what stands between the first two _ of it.")]


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


@commands.command("list")
def list_tokens() -> None:
    """List the tokens of services: id, scopes, name, when it was made and last used."""
    for token in run(_list()):
        used = rfc3339(token.last_used_at) if token.last_used_at is not None else "never used"
        scopes = "+".join(sorted(scope.value for scope in token.scopes))
        typer.echo(f"{token.id}  {scopes}  {token.name}  {rfc3339(token.created_at)}  {used}")


@commands.command()
def rotate(
    token_id: TokenId,
    *,
    overlap_s: Annotated[int, typer.Option(min=0, help="So many seconds more it is good as it was before.")] = 0,
) -> None:
    """Give a token another secret and print it: it is shown this once."""
    typer.echo(run(_rotate(token_id, timedelta(seconds=overlap_s))))


@commands.command()
def revoke(token_id: TokenId) -> None:
    """Revoke a token: it is worth nothing from now on."""
    run(_revoke(token_id))
    typer.echo(f"revoked: {token_id}")


async def _create(name: str, scopes: set[Scope]) -> str:
    async with core_of_command() as core:
        token, _ = await core.service_tokens.create(operator(), name, scopes)
        return token


async def _list() -> list[ApiToken]:
    async with core_of_command() as core:
        return await core.service_tokens.list(operator())


async def _rotate(token_id: str, overlap: timedelta) -> str:
    async with core_of_command() as core:
        token, _ = await core.service_tokens.rotate(operator(), token_id, overlap=overlap)
        return token


async def _revoke(token_id: str) -> None:
    async with core_of_command() as core:
        await core.service_tokens.revoke(operator(), token_id)
