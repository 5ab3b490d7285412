"""`mailkeep incident`."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from mailkeep.domain.clock import rfc3339, utc_now
from mailkeep.domain.incident import Notice, Traces
from mailkeep.domain.scope import operator
from mailkeep.domain.spreadsheet import no_formula
from mailkeep.errors import Conflict, InvalidInput
from mailkeep_cli.running import core_of_command, run

commands = typer.Typer()

Account = Annotated[str, typer.Option("--account", help="The id of one account.")]
Everybody = Annotated[bool, typer.Option("--all", help="All accounts.")]


@commands.callback()
def _group() -> None:
    """After a break-in: take away what gives access, find out whom it concerns."""


@commands.command("revoke-sessions")
def revoke_sessions(*, account: Account = "", everybody: Everybody = False) -> None:
    """End the log-ins of an account, or of all: everybody has to log in anew."""
    typer.echo(f"sessions revoked: {run(_revoke_sessions(_one_or_all(account, everybody=everybody)))}")


@commands.command("revoke-tokens")
def revoke_tokens(*, account: Account = "", everybody: Everybody = False) -> None:
    """Revoke the tokens of an account, or of all customers. The tokens of services stay."""
    typer.echo(f"tokens revoked: {run(_revoke_tokens(_one_or_all(account, everybody=everybody)))}")


@commands.command()
def affected(
    since: Annotated[str, typer.Option(help="The first moment, like 2026-11-24T09:00:00Z.")],
    *,
    until: Annotated[str, typer.Option(help="The moment after the last; now when it is not given.")] = "",
    client_ip: Annotated[str, typer.Option(help="What was done from this address.")] = "",
    action: Annotated[str, typer.Option(help="This deed, as the audit log calls it.")] = "",
    actor: Annotated[str, typer.Option(help="What this user or token did, by its id.")] = "",
    notices: Annotated[Path | None, typer.Option(help="Write the list to this file, for the letter to them.")] = None,
) -> None:
    """List the accounts that the audit log has such records of: id, owner, records, first, last."""
    traces = Traces(
        since=_moment("--since", since),
        until=_moment("--until", until) if until else utc_now(),
        client_ip=client_ip or None,
        action=action or None,
        actor_id=actor or None,
    )
    found = run(_affected(traces))
    text = _table(found)
    if notices is not None:
        _write(notices, text)
        typer.echo(f"accounts affected: {len(found)}; the list is in {notices}")
    else:
        typer.echo(text, nl=False)


def _one_or_all(account: str, *, everybody: bool) -> str | None:
    if bool(account) == everybody:
        raise InvalidInput("say whose: --account ID, or --all")
    return account or None


def _moment(option: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(f"{option}: {text!r} is no time; write it like 2026-11-24T09:00:00Z") from error
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _table(found: Sequence[Notice]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("account_id", "email", "records", "first_at", "last_at"))
    for notice in found:
        each = notice.affected
        writer.writerow(
            (each.account_id, no_formula(notice.email), each.records, rfc3339(each.first_at), rfc3339(each.last_at))
        )
    return text.getvalue()


def _write(path: Path, text: str) -> None:
    """E-mail addresses of customers: for the operator's eyes."""
    try:
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise Conflict(f"{path} exists already: name another file") from error


async def _revoke_sessions(account_id: str | None) -> int:
    async with core_of_command() as core:
        return await core.incident.revoke_sessions(operator(), account_id)


async def _revoke_tokens(account_id: str | None) -> int:
    async with core_of_command() as core:
        return await core.incident.revoke_tokens(operator(), account_id)


async def _affected(traces: Traces) -> list[Notice]:
    async with core_of_command() as core:
        return await core.incident.notices(operator(), traces)
