"""What is scanned for malware before a message is stored, and what a finding means."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from io import BufferedReader
from typing import BinaryIO, Final

import structlog
import zstandard

from mailkeep.config import Scan, split_listen
from mailkeep.errors import Infected, ScannerUnavailable, StorageUnavailable
from mailkeep.mail.parsed import ParsedFile
from mailkeep.mail.parts import MESSAGES
from mailkeep.mail.scan import MAIL_MARK, Clamd
from mailkeep.mail.spool import Spool

log: structlog.stdlib.BoundLogger = structlog.get_logger()

PIECE_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Findings:
    """The names of what was found in a message and in each of its files, in their order; empty for nothing."""

    message: str
    files: tuple[str, ...]


class Scanner:
    """Asks clamd about messages. One object serves all deliveries of a process."""

    def __init__(self, clamd: Clamd, settings: Scan) -> None:
        self._clamd = clamd
        self._settings = settings
        self._places = asyncio.Semaphore(settings.max_parallel)

    async def examine(self, source: Spool, files: Sequence[ParsedFile]) -> Findings:
        """Look at a message as it came and at each of its files, decoded. `source` is compressed.

        Raises Infected where infected mail is refused, ScannerUnavailable, also when it takes too long, and
        StorageUnavailable. A message is never half looked at and called clean.
        """
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._settings.timeout_s), self._places:
                findings = await self._look(source, files)
        except TimeoutError as error:
            log.warning("scan.failed", reason="timeout")
            raise ScannerUnavailable("the scan took too long") from error
        except ScannerUnavailable as error:
            log.warning("scan.failed", reason=str(error))
            raise
        scan_ms = round((time.monotonic() - started) * 1000, 1)
        if findings.message:
            log.warning("scan.found", malware=findings.message, mode=self._settings.mode, scan_ms=scan_ms)
            if self._settings.mode == "reject":
                raise Infected(findings.message)
        else:
            log.debug("scan.clean", files=len(files), scan_ms=scan_ms)
        return findings

    async def probe(self, mail: Iterable[bytes]) -> str:
        """What is found in a mail of the operator's, in pieces; empty for nothing. Raises ScannerUnavailable."""
        try:
            async with asyncio.timeout(self._settings.timeout_s), aclosing(_each(mail)) as pieces:
                return await self._clamd.scan(pieces)
        except TimeoutError as error:
            raise ScannerUnavailable("the scan took too long") from error

    async def _look(self, source: Spool, files: Sequence[ParsedFile]) -> Findings:
        whole = await self._scan(lambda: _decompressed(source), mark=MAIL_MARK)
        if whole and self._settings.mode == "reject":
            return Findings(whole, ())
        found = [await self._scan_file(file) for file in files]
        return Findings(whole or next(filter(None, found), ""), tuple(found))

    async def _scan_file(self, file: ParsedFile) -> str:
        """As it is, for it need not be what it says; what says that it is a message, then as one too."""
        found = await self._scan(file.spool.reader)
        if not found and file.declared_type in MESSAGES:
            found = await self._scan(file.spool.reader, mark=MAIL_MARK)
        return found

    async def _scan(self, open_reader: Callable[[], BinaryIO], *, mark: bytes = b"") -> str:
        async with aclosing(_pieces(open_reader, mark)) as pieces:
            return await self._clamd.scan(pieces)


def open_scanner(settings: Scan) -> Scanner | None:
    """None when nothing is to be scanned. Nobody is connected to yet: clamd may start after us."""
    if settings.mode == "off":
        return None
    if settings.clamd.startswith(settings.UNIX_PREFIX):
        return Scanner(Clamd.over_unix(settings.clamd.removeprefix(settings.UNIX_PREFIX)), settings)
    return Scanner(Clamd.over_tcp(*split_listen(settings.clamd)), settings)


async def _each(mail: Iterable[bytes]) -> AsyncGenerator[bytes, None]:
    for piece in mail:
        yield piece


async def _pieces(open_reader: Callable[[], BinaryIO], mark: bytes) -> AsyncGenerator[bytes, None]:
    """Raises StorageUnavailable."""
    yield mark
    reader = await asyncio.to_thread(open_reader)
    try:
        while piece := await asyncio.to_thread(_read, reader):
            yield piece
    finally:
        reader.close()


def _read(reader: BinaryIO) -> bytes:
    try:
        return reader.read(PIECE_BYTES)
    except OSError as error:
        raise StorageUnavailable("the blob store cannot read") from error


def _decompressed(source: Spool) -> BinaryIO:
    """Piece by piece, however much there is in a few compressed bytes."""
    return BufferedReader(zstandard.ZstdDecompressor().stream_reader(source.reader()), PIECE_BYTES)
