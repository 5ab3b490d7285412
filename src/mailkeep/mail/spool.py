"""Bytes of a message on their way into a blob, before they have a name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import BytesIO, FileIO
from pathlib import Path
from typing import BinaryIO, Final

from mailkeep.domain.ids import new_id
from mailkeep.errors import StorageUnavailable

# Up to here a spool stays in memory: most parts are small, and a file that is never made costs nothing.
SPOOL_MEMORY_BYTES: Final = 64 * 1024


class Spool:
    """Bytes in memory, from a certain size on in a temporary file of `directory`. Its calls block: use a thread."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._chunks: list[bytes] = []
        self._file: FileIO | None = None
        self._path: Path | None = None
        self.size_bytes = 0

    def write(self, data: bytes) -> None:
        """Raises StorageUnavailable when the bytes cannot be kept."""
        self.size_bytes += len(data)
        self._chunks.append(data)
        if self._path is None and self.size_bytes <= SPOOL_MEMORY_BYTES:
            return
        try:
            self._write_out()
        except OSError as error:
            raise StorageUnavailable("the blob store cannot write") from error

    def rest(self) -> None:
        """Give the file descriptor back until there is more: a message may have hundreds of large parts."""
        if self._file is not None:
            self._file.close()
        self._file = None

    def head(self, count: int) -> bytes:
        """The first `count` bytes."""
        if self._path is None:
            return b"".join(self._chunks)[:count]
        with self._path.open("rb") as file:
            return file.read(count)

    def reader(self) -> BinaryIO:
        """All that was written, from its beginning, over a descriptor of its own. Raises StorageUnavailable."""
        if self._path is None:
            return BytesIO(b"".join(self._chunks))
        try:
            return self._path.open("rb")
        except OSError as error:
            raise StorageUnavailable("the blob store cannot read") from error

    def chunks(self) -> Iterator[bytes]:
        """All of the bytes, in pieces of at most 64 KB. Raises StorageUnavailable."""
        with self.reader() as file:
            while chunk := file.read(SPOOL_MEMORY_BYTES):
                yield chunk

    def settle(self, target: Path) -> None:
        """Make the bytes durable as `target`, but for the entry in its directory. Raises OSError."""
        file, path = self._write_out()
        os.fsync(file.fileno())
        file.close()
        path.replace(target)
        self._file = self._path = None

    def discard(self) -> None:
        """Give the bytes up. Does nothing after they were settled, or a second time."""
        self._chunks.clear()
        if self._file is not None:
            self._file.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        self._file = self._path = None

    def _write_out(self) -> tuple[FileIO, Path]:
        """Hand what memory holds to the file, which is made when there is none yet. Raises OSError."""
        if self._path is None:
            self._path = self._directory / new_id()
            self._file = FileIO(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb")
        elif self._file is None:
            # An error in writing back what is in it is still told to this descriptor, if nobody has seen it.
            self._file = FileIO(self._path, "ab")
        _write_all(self._file, self._chunks)
        self._chunks.clear()
        return self._file, self._path


def _write_all(file: FileIO, chunks: list[bytes]) -> None:
    for chunk in chunks:
        view = memoryview(chunk)
        while view:
            view = view[file.write(view) :]
