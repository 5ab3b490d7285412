"""`mailkeep account`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from mailkeep.domain.account import AccountStatus
from mailkeep.domain.administration import AccountEntry, AccountFilter
from mailkeep.domain.clock import rfc3339
from mailkeep.domain.deletion import DeletionReceipt
from mailkeep.domain.scope import operator
from mailkeep.errors import InvalidInput
from mailkeep.services.account_purge import Purged
from mailkeep_cli.running import core_of_command, run

commands = typer.Typer()

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AccountId = Annotated[str, typer.Argument(help="The account's id.")]


@commands.callback()
def _group() -> None:
    """Customers' accounts."""


@commands.command("list")
def list_accounts(
    *,
    email: Annotated[str, typer.Option(help="The one whose owner logs in with this e-mail address.")] = "",
    address: Annotated[str, typer.Option(help="The one that has this address.")] = "",
    tier: Annotated[str, typer.Option(help="Those of this tier.")] = "",
    status: Annotated[str, typer.Option(help="Those that are active, or suspended.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many, the newest.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List accounts, newest first."""
    wanted = AccountFilter(
        email=email.lower() or None,
        address=address.lower() or None,
        tier=tier or None,
        status=_status(status) if status else None,
        limit=limit,
    )
    _show(run(_find(wanted)), as_json=as_json)


@commands.command()
def show(account_id: AccountId, *, as_json: AsJson = False) -> None:
    """Show one account. Its own audit log says that you looked."""
    _show([run(_get(account_id))], as_json=as_json)


@commands.command("set")
def change(
    account_id: AccountId,
    *,
    tier: Annotated[str, typer.Option(help="One of the configured tiers.")] = "",
    status: Annotated[
        str, typer.Option(help="suspended: it refuses mail and nobody gets in; active: it goes on.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Change an account's tier or status. In force within a second, for mail too."""
    if not tier and not status:
        raise InvalidInput("say what to change: --tier or --status")
    _show([run(_change(account_id, tier or None, _status(status) if status else None))], as_json=as_json)


@commands.command()
def delete(account_id: AccountId, *, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Delete an account with all that is in it, for good."""
    if not yes:
        typer.confirm(f"Delete account {account_id} and all of its mail, for good?", abort=True)
    receipt = run(_delete(account_id))
    typer.echo(f"deleted, by record {receipt.id}: {', '.join(f'{n} {name}' for name, n in receipt.deleted.items())}")
    for kept in receipt.kept:
        typer.echo(f"kept: {kept}")


@commands.command()
def purge() -> None:
    """Remove what is left of deleted accounts. The API does it too, in the background."""
    purged = run(_purge())
    typer.echo(f"messages removed: {purged.messages}; accounts finished: {purged.finished}")
    if purged.pending:
        typer.echo(f"accounts emptied, to be looked at once more in a minute: {purged.pending}")


def _status(text: str) -> AccountStatus:
    if text not in (AccountStatus.ACTIVE, AccountStatus.SUSPENDED):
        raise InvalidInput("--status: write active or suspended")
    return AccountStatus(text)


def _show(found: Sequence[AccountEntry], *, as_json: bool) -> None:
    for entry in found:
        values = {**asdict(entry), "status": entry.status.value, "created_at": rfc3339(entry.created_at)}
        typer.echo(json.dumps(values) if as_json else _line(entry))


def _line(entry: AccountEntry) -> str:
    used = f"{entry.addresses} addresses, {entry.messages_received} received, {entry.storage_bytes:,} bytes"
    return f"{entry.id}  {entry.email or '-'}  {entry.tier}  {entry.status.value}  {used}"


async def _find(wanted: AccountFilter) -> list[AccountEntry]:
    async with core_of_command() as core:
        found, _ = await core.administration.find(operator(), wanted)
        return found


async def _get(account_id: str) -> AccountEntry:
    async with core_of_command() as core:
        return await core.administration.get(operator(), account_id)


async def _delete(account_id: str) -> DeletionReceipt:
    async with core_of_command() as core:
        return await core.deletion.delete_any(operator(), account_id)


async def _purge() -> Purged:
    async with core_of_command() as core:
        with Progress(console=Console(stderr=True)) as progress:
            task = progress.add_task("messages of deleted accounts", total=None)
            return await core.purge.work_off(lambda removed: progress.update(task, completed=removed))


async def _change(account_id: str, tier: str | None, status: AccountStatus | None) -> AccountEntry:
    async with core_of_command() as core:
        return await core.administration.change(operator(), account_id, tier=tier, status=status)
