"""`mailkeep audit`."""

from __future__ import annotations

from typing import Final

import typer
from rich.console import Console
from rich.progress import Progress

from mailkeep.services.audit_verifying import Fault, Verdict
from mailkeep_cli.running import core_of_command, run

EXIT_FOUND: Final = 1
_WORDS: Final = {
    Fault.CHANGED: "is not what was written, or was not written by Mailkeep",
    Fault.MISSING: "is gone",
    Fault.CHAIN: "is not where the chain has it, or its link was changed",
    Fault.PLACE_CHANGED: "has another client address or user agent than was written",
    Fault.PLACE_MISSING: "has lost its client address and user agent, and its account was not deleted",
    Fault.CUT_OFF: "was sealed, and the chain ends before it: records were taken off its end",
}

commands = typer.Typer()


@commands.callback()
def _group() -> None:
    """The audit log."""


@commands.command()
def seal() -> None:
    """Chain what was recorded since the last time. The API does it too, once a minute."""
    typer.echo(f"records sealed: {run(_seal())}")


@commands.command()
def verify() -> None:
    """Look at every record and link; name the first that was changed, taken out, put in or moved. Exit code 1 then."""
    verdict = run(_verify())
    looked_at = f"{verdict.sealed:,} sealed records and {verdict.unsealed:,} not sealed yet"
    if verdict.late:
        typer.echo(f"warning: {verdict.late:,} records have waited for more than an hour to be sealed", err=True)
    if not verdict.has_head:
        typer.echo("warning: no head of the chain is noted on this host: a cut end cannot be seen here", err=True)
    if verdict.finding is None:
        typer.echo(f"the audit log is whole: {looked_at}")
        return
    finding = verdict.finding
    place = f"link {finding.seq}" if finding.seq else "not sealed"
    typer.echo(f"record {finding.audit_id} ({place}) {_WORDS[finding.fault]}; in order before it: {looked_at}")
    raise typer.Exit(EXIT_FOUND)


async def _seal() -> int:
    async with core_of_command() as core:
        return await core.sealing.seal()


async def _verify() -> Verdict:
    async with core_of_command() as core:
        with Progress(console=Console(stderr=True)) as progress:
            task = progress.add_task("audit log, sealed records", total=None)
            return await core.verifying.verify(lambda done: progress.update(task, completed=done))
