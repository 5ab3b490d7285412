"""`mailkeep user`."""

from __future__ import annotations

import json
import secrets
import sys
from typing import Annotated, Final

import typer

from mailkeep.domain.account import Registration
from mailkeep_cli.running import core_of_command, run

GENERATED_PASSWORD_BYTES: Final = 15

commands = typer.Typer()


@commands.callback()
def _group() -> None:
    """Customers and who logs in for them."""


@commands.command()
def create(
    email: Annotated[str, typer.Argument(help="The e-mail address to log in with.")],
    *,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input; else one is made.")
    ] = False,
    tier: Annotated[str, typer.Option(help="One of the configured tiers.")] = "free",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make a customer: an account, its owner, and a first address."""
    given = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
    password = given if given is not None else secrets.token_urlsafe(GENERATED_PASSWORD_BYTES)
    made = run(_register(email, password, tier))
    shown = {"account_id": made.account.id, "user_id": made.user.id, "address": made.address.address}
    if given is None:
        shown["password"] = password
    if as_json:
        typer.echo(json.dumps(shown))
    else:
        for name, value in shown.items():
            typer.echo(f"{name.replace('_', ' ')}: {value}")


async def _register(email: str, password: str, tier: str) -> Registration:
    async with core_of_command() as core:
        return await core.accounts.register(email, password, tier=tier)
