"""`mailkeep retention`."""

from __future__ import annotations

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from mailkeep.services.retention import RetentionReport
from mailkeep_cli.running import core_of_command
from mailkeep_cli.running import run as run_to_the_end

commands = typer.Typer()


@commands.callback()
def _group() -> None:
    """Messages that have expired."""


@commands.command()
def run() -> None:
    """Remove what has expired by now. Can be interrupted, and run while mail comes in; serve and api do it too."""
    report = run_to_the_end(_run())
    typer.echo(
        f"messages removed: {report.messages:,} ({report.bytes:,} bytes) of {report.accounts:,} accounts; refusals: "
        f"{report.refusals:,}; {report.seconds:.1f} s, longest lock {report.longest_lock_s * 1000:.0f} ms"
    )


async def _run() -> RetentionReport:
    async with core_of_command() as core:
        with Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=Console(stderr=True)) as progress:
            task = progress.add_task("expired messages", total=await core.retention.count_expired())
            return await core.retention.run(lambda removed: progress.update(task, completed=removed))
