"""`mailkeep mail`: sends mail to an address here, to try things with."""

from __future__ import annotations

import smtplib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import track

from mailkeep.config import split_listen
from mailkeep.errors import InvalidInput, Unavailable
from mailkeep.testing.samples import welcome_mail
from mailkeep_cli.running import settings_of_command

TIMEOUT_S: Final = 60
EXIT_REFUSED: Final = 1

commands = typer.Typer()


@commands.callback()
def _group() -> None:
    """Mail to try things with."""


@commands.command()
def send(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Messages as .eml files; without any, a sample is sent.", exists=True)
    ] = None,
    *,
    to: Annotated[str, typer.Option(help="The recipient.")],
    sender: Annotated[str, typer.Option("--from", help="The envelope's sender.")] = "sender@example.org",
    lmtp: Annotated[str, typer.Option(help="host:port to deliver to over LMTP.")] = "",
    smtp: Annotated[str, typer.Option(help="host:port to deliver to over SMTP; default: this machine's.")] = "",
) -> None:
    """Send messages to an address, over LMTP or SMTP."""
    refused = 0
    with _connect(lmtp, smtp) as client:
        names = [str(file) for file in files] if files else ["the sample"]
        for name, message in zip(_progress(names), _messages(files), strict=True):
            try:
                client.sendmail(sender, [to], message)
            except smtplib.SMTPRecipientsRefused as error:
                code, text = next(iter(error.recipients.values()))
                refused += _complain(name, code, text)
            except smtplib.SMTPResponseException as error:
                refused += _complain(name, error.smtp_code, error.smtp_error)
    typer.echo(f"{len(names) - refused} of {len(names)} accepted for {to}")
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


def _progress(names: list[str]) -> Iterator[str]:
    """A bar on a terminal, nothing elsewhere."""
    console = Console(file=sys.stderr)
    yield from track(names, "Sending", console=console, transient=True, disable=not console.is_terminal)


def _complain(name: str, code: int, text: bytes | str) -> int:
    reply = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    typer.echo(f"{name}: refused: {code} {reply}", err=True)
    return 1
