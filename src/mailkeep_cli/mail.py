"""`mailkeep mail`: sends mail to an address here, to try things with."""

from __future__ import annotations

import smtplib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Final, TypeVar

import typer
from rich.console import Console
from rich.progress import track

from mailkeep.config import split_listen
from mailkeep.errors import InvalidInput, Unavailable
from mailkeep.testing.samples import SHIPPED, sample_mails, welcome_mail
from mailkeep_cli.running import settings_of_command

TIMEOUT_S: Final = 60
EXIT_REFUSED: Final = 1

Item = TypeVar("Item")

commands = typer.Typer()


@commands.callback()
def _group() -> None:
    """Mail to try things with."""


Recipient = Annotated[str, typer.Option("--to", help="The recipient.")]
Sender = Annotated[str, typer.Option("--from", help="The envelope's sender.")]
Lmtp = Annotated[str, typer.Option(help="host:port to deliver to over LMTP.")]
Smtp = Annotated[str, typer.Option(help="host:port to deliver to over SMTP; default: this machine's.")]


@commands.command()
def send(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Messages as .eml files; without any, a sample is sent.", exists=True)
    ] = None,
    *,
    to: Recipient,
    sender: Sender = "sender@example.org",
    lmtp: Lmtp = "",
    smtp: Smtp = "",
) -> None:
    """Send messages to an address, over LMTP or SMTP."""
    names = [str(file) for file in files] if files else ["the sample"]
    with _connect(lmtp, smtp) as client:
        refusals = [_refusal(client, sender, to, message) for message in _progress(_messages(files), len(names))]
    _conclude(list(zip(names, refusals, strict=True)), to)


@commands.command()
def samples(*, to: Recipient, sender: Sender = "sender@example.org", lmtp: Lmtp = "", smtp: Smtp = "") -> None:
    """Send an address mail of the kinds that people receive, to see what is made of it."""
    with _connect(lmtp, smtp) as client:
        mails = _progress(sample_mails(), len(SHIPPED))
        refusals = [(mail.name, _refusal(client, sender, to, mail.source)) for mail in mails]
    for name, reply in refusals:
        if not reply:
            typer.echo(f"{name}: {SHIPPED[name]}")
    _conclude(refusals, to)


def _refusal(client: smtplib.SMTP, sender: str, to: str, message: bytes) -> str:
    """The server's reply, empty when it took the message."""
    text: bytes | str
    try:
        client.sendmail(sender, [to], message)
    except smtplib.SMTPRecipientsRefused as error:
        code, text = next(iter(error.recipients.values()))
    except smtplib.SMTPResponseException as error:
        code, text = error.smtp_code, error.smtp_error
    else:
        return ""
    return f"{code} {text.decode('utf-8', 'replace') if isinstance(text, bytes) else text}"


def _conclude(refusals: list[tuple[str, str]], to: str) -> None:
    """Say how it went, when the bar is gone. `refusals` are names with replies, empty ones for what was accepted."""
    refused = [(name, reply) for name, reply in refusals if reply]
    for name, reply in refused:
        typer.echo(f"{name}: refused: {reply}", err=True)
    typer.echo(f"{len(refusals) - len(refused)} of {len(refusals)} accepted for {to}")
    if refused:
        raise typer.Exit(EXIT_REFUSED)


def _connect(lmtp: str, smtp: str) -> smtplib.SMTP:
    if lmtp and smtp:
        raise InvalidInput("give --lmtp or --smtp, not both")
    listen = lmtp or smtp or settings_of_command().smtp.listen
    host, port = split_listen(listen)
    try:
        client = smtplib.LMTP if lmtp else smtplib.SMTP
        return client(host, port, timeout=TIMEOUT_S)
    except (OSError, smtplib.SMTPException) as error:
        raise Unavailable(f"cannot reach {listen}: is `mailkeep serve` running?") from error


def _messages(files: list[Path] | None) -> Iterator[bytes]:
    if not files:
        yield welcome_mail()
        return
    for file in files:
        yield file.read_bytes()


def _progress(items: Iterable[Item], total: int) -> Iterator[Item]:
    """A bar on a terminal, nothing elsewhere."""
    console = Console(file=sys.stderr)
    yield from track(items, "Sending", total=total, console=console, transient=True, disable=not console.is_terminal)
