"""`mailkeep scan`."""

from __future__ import annotations

import time

import typer

from mailkeep.errors import ConfigurationError, ScannerUnavailable
from mailkeep.mail.scan_probes import deep_mail, large_mail
from mailkeep.services.scanning import Scanner, open_scanner
from mailkeep_cli.running import run, settings_of_command

commands = typer.Typer()


@commands.callback()
def _group() -> None:
    """The malware scanner."""


@commands.command()
def check() -> None:
    """Send clamd mail as large and as deep as may come, with the harmless EICAR test file; say what it overlooks."""
    settings = settings_of_command()
    scanner = open_scanner(settings.scan)
    if scanner is None:
        raise ConfigurationError(
            "scan.mode is off, so nothing is scanned: set it, and scan.clamd (see `mailkeep config example`)"
        )
    run(_check(scanner, f"clamd at {settings.scan.clamd}", size_bytes=settings.lmtp.max_message_bytes))


async def _check(scanner: Scanner, clamd: str, *, size_bytes: int) -> None:
    """Raises ConfigurationError, which says what to do."""
    started = time.monotonic()
    try:
        found = await scanner.probe(large_mail(size_bytes))
        found_deep = await scanner.probe(deep_mail())
    except ScannerUnavailable as error:
        advice = ": set its StreamMaxLength to more than lmtp.max_message_bytes" if "size limit" in str(error) else ""
        raise ConfigurationError(f"{clamd} does not scan a mail of {size_bytes:,} bytes ({error}){advice}") from error
    if not found:
        raise ConfigurationError(
            f"{clamd} calls a mail of {size_bytes:,} bytes with the test file at its end clean: "
            "set its MaxFileSize and MaxScanSize to more than that, and see that it has its signatures"
        )
    if not found_deep:
        raise ConfigurationError(f"{clamd} calls clean what it did not look at: set its AlertExceedsMax to yes")
    seconds = time.monotonic() - started
    typer.echo(f"{clamd} found {found} in a mail of {size_bytes:,} bytes, and {found_deep}, in {seconds:.1f} s")
