"""`mailkeep billing`."""

from __future__ import annotations

import typer
from rich.console import Console
from rich.progress import Progress

from mailkeep.domain.billing import Drift
from mailkeep.domain.scope import operator
from mailkeep_cli.running import core_of_command, run

commands = typer.Typer()


@commands.callback()
def _group() -> None:
    """Payments by Stripe."""


@commands.command()
def reconcile() -> None:
    """Compare all accounts with what Stripe says of them, and mend what differs: each difference is a line."""
    found = run(_reconcile())
    for drift in found:
        typer.echo(f"{drift.subject}: {drift.what}")
    typer.echo(f"differences: {len(found)}")


async def _reconcile() -> list[Drift]:
    async with core_of_command() as core:
        with Progress(console=Console(stderr=True)) as progress:
            task = progress.add_task("accounts that Stripe knows", total=None)
            return await core.billing_reconciling.reconcile(
                operator(), lambda done: progress.update(task, completed=done)
            )
