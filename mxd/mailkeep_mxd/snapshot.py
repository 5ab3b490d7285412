"""The recipient table on disk, so that a restart does not depend on the API.

One file: a line that names the format, a JSON line (cursor, time of the sync, number of rows), the rows, a SHA-256
over all of it. It is written beside its place and renamed, and believed only when the sum is right.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

_MAGIC: Final = b"mailkeep recipients 1\n"
_ROW: Final = struct.Struct("!HH")
_SUM_BYTES: Final = 32
_PIECE_BYTES: Final = 1024 * 1024
_MAX_HEAD_BYTES: Final = 1024

PackedRow = tuple[bytes, bytes]


class SnapshotDamaged(Exception):
    """The file is not what was written: cut short, changed, or of another version."""


@dataclass(frozen=True, slots=True)
class SnapshotHead:
    """Where the table had got to, and when (Unix time, seconds) the API had last answered."""

    cursor: int
    synced_at: float
    rows: int


def save(path: Path, head: SnapshotHead, rows: Iterable[PackedRow]) -> None:
    """Replace the snapshot, atomically and durably. Blocks. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            _write(file, head, rows)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    _sync_directory(path.parent)


def load(path: Path) -> tuple[SnapshotHead, dict[bytes, bytes]]:
    """Read it back, address → row. Blocks. Raises FileNotFoundError, OSError, SnapshotDamaged."""
    with path.open("rb") as file:
        _check_sum(file)
        file.seek(0)
        try:
            head = _read_head(file)
            return head, dict(_read_rows(file, head.rows))
        except (ValueError, KeyError, TypeError, struct.error) as error:
            raise SnapshotDamaged("not a snapshot of this version") from error


def _write(file: BinaryIO, head: SnapshotHead, rows: Iterable[PackedRow]) -> None:
    sha256 = hashlib.sha256()
    head_line = json.dumps({"cursor": head.cursor, "synced_at": head.synced_at, "rows": head.rows}).encode() + b"\n"
    for piece in _pieces(head_line, rows):
        sha256.update(piece)
        file.write(piece)
    file.write(sha256.digest())


def _pieces(head_line: bytes, rows: Iterable[PackedRow]) -> Iterator[bytes]:
    piece = bytearray(_MAGIC + head_line)
    for address, row in rows:
        piece += _ROW.pack(len(address), len(row)) + address + row
        if len(piece) >= _PIECE_BYTES:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece)


def _check_sum(file: BinaryIO) -> None:
    remaining = os.fstat(file.fileno()).st_size - _SUM_BYTES
    sha256 = hashlib.sha256()
    while remaining > 0:
        piece = file.read(min(remaining, _PIECE_BYTES))
        if not piece:
            break
        sha256.update(piece)
        remaining -= len(piece)
    if file.read(_SUM_BYTES) != sha256.digest():
        raise SnapshotDamaged("its checksum is wrong")


def _read_head(file: BinaryIO) -> SnapshotHead:
    if file.readline(len(_MAGIC)) != _MAGIC:
        raise SnapshotDamaged("not a snapshot of this version")
    head = json.loads(file.readline(_MAX_HEAD_BYTES))
    return SnapshotHead(cursor=int(head["cursor"]), synced_at=float(head["synced_at"]), rows=int(head["rows"]))


def _read_rows(file: BinaryIO, count: int) -> Iterator[PackedRow]:
    for _ in range(count):
        address_length, row_length = _ROW.unpack(file.read(_ROW.size))
        yield file.read(address_length), file.read(row_length)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
