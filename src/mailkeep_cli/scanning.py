"""`mailkeep scan`."""

from __future__ import annotations

import time

import typer

from mailkeep.errors import ConfigurationError, ScannerUnavailable
from mailkeep.services.scanning import open_scanner
from mailkeep_cli.running import run, settings_of_command

commands = typer.Typer()


@commands.callback()
def _group() -> None:
    """The malware scanner."""


@commands.command()
def check() -> None:
    """Send clamd the harmless EICAR test file, at the end of a mail as large as is accepted, and say what it finds."""
    run(_check())


async def _check() -> None:
    """Raises ConfigurationError, which says what to do."""
    settings = settings_of_command()
    scanner = open_scanner(settings.scan)
    if scanner is None:
        raise ConfigurationError("scan.mode is off: nothing is scanned")
    size_bytes = settings.lmtp.max_message_bytes
    started = time.monotonic()
    try:
        found = await scanner.probe(size_bytes)
    except ScannerUnavailable as error:
        advice = ": set its StreamMaxLength to more than lmtp.max_message_bytes" if "size limit" in str(error) else ""
        raise ConfigurationError(
            f"clamd at {settings.scan.clamd} does not scan a mail of {size_bytes:,} bytes ({error}){advice}"
        ) from error
    if not found:
        raise ConfigurationError(
            f"clamd at {settings.scan.clamd} calls a mail of {size_bytes:,} bytes with the test file at its end clean: "
            "set its MaxFileSize and MaxScanSize to more than that, and see that it has its signatures"
        )
    seconds = time.monotonic() - started
    typer.echo(f"clamd at {settings.scan.clamd} found {found} in a mail of {size_bytes:,} bytes, in {seconds:.1f} s")
