"""`mailkeep blobs`."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import Progress

from mailkeep.services.blob_check import BlobFindings
from mailkeep_cli.running import core_of_command, run

EXIT_FOUND: Final = 1

commands = typer.Typer()


@commands.callback()
def _group() -> None:
    """The stored bytes: messages as received, and their attachments."""


@commands.command()
def check(
    *,
    mend: Annotated[bool, typer.Option("--mend", help="Remove bytes that belong to no message.")] = False,
    force: Annotated[bool, typer.Option("--force", help="With --mend, also when that is most of them.")] = False,
    grace_hours: Annotated[int, typer.Option(min=1, help="Leave alone what is younger: mail on its way in.")] = 24,
) -> None:
    """Find bytes that belong to no message, and messages whose bytes are gone. Exit code 1 when there are any left."""
    found = run(_check(mend=mend, force=force, grace=timedelta(hours=grace_hours)))
    for blob in found.orphans:
        typer.echo(f"orphan  {blob.key}  {blob.size_bytes:,} bytes")
    for key in found.missing:
        typer.echo(f"missing  {key}")
    typer.echo(
        f"blobs looked at: {found.blobs:,}; orphans: {len(found.orphans):,}, removed: {found.removed:,}; "
        f"too young to tell: {found.young:,}; rows whose bytes are gone: {len(found.missing):,} of {found.rows:,}"
    )
    if found.missing or len(found.orphans) > found.removed:
        raise typer.Exit(EXIT_FOUND)


async def _check(*, mend: bool, force: bool, grace: timedelta) -> BlobFindings:
    async with core_of_command() as core:
        with Progress(console=Console(stderr=True)) as progress:
            task = progress.add_task("blobs and rows", total=None)
            return await core.blob_check.check(
                mend=mend, force=force, grace=grace, progress=lambda done: progress.update(task, completed=done)
            )
