"""`mailkeep usage`."""

from __future__ import annotations

from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import Progress

from mailkeep_cli.running import core_of_command, run

EXIT_FOUND: Final = 1

commands = typer.Typer()


@commands.callback()
def _group() -> None:
    """What customers use."""


@commands.command()
def recount(
    *,
    check: Annotated[bool, typer.Option("--check", help="Only say what is wrong, with exit code 1 then.")] = False,
) -> None:
    """Compare the storage that each account is charged for with its messages, and mend it. Mail goes on meanwhile."""
    looked_at, drifted = run(_recount(mend=not check))
    typer.echo(f"accounts looked at: {looked_at:,}; {'wrong' if check else 'mended'}: {drifted:,}")
    if check and drifted:
        raise typer.Exit(EXIT_FOUND)


async def _recount(*, mend: bool) -> tuple[int, int]:
    looked_at = drifted = 0
    async with core_of_command() as core:
        with Progress(console=Console(stderr=True)) as progress:
            task = progress.add_task("accounts", total=None)
            async for count, found in core.recount.recount(mend=mend):
                looked_at, drifted = looked_at + count, drifted + len(found)
                progress.update(task, completed=looked_at)
                for drift in found:
                    typer.echo(
                        f"{drift.account_id}  charged {drift.charged_bytes:,}  stored {drift.stored_bytes:,} bytes"
                    )
    return looked_at, drifted
