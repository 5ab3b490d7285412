"""A zip archive of any number of files of any size, written while they are read.

Neither is known before: so each file is deflated, which shows where it ends, its size and checksum follow it, and all
numbers have 64 bits. What stays in memory is the directory at the end, some 120 bytes a file. Sections are those of
APPNOTE.TXT 6.3.10.
"""

from __future__ import annotations

import asyncio
import struct
import zlib
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Final

_LOCAL: Final = struct.Struct("<4s5H3L2H")  # 4.3.7
_DESCRIPTOR: Final = struct.Struct("<4sL2Q")  # 4.3.9.2
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")  # 4.3.12
_END_64: Final = struct.Struct("<4sQ2H2L4Q")  # 4.3.14
_LOCATOR: Final = struct.Struct("<4sLQL")  # 4.3.15
_END: Final = struct.Struct("<4s4H2LH")  # 4.3.16
_EXTRA_2: Final = struct.Struct("<2H2Q")  # 4.5.3: two sizes, or two and an offset
_EXTRA_3: Final = struct.Struct("<2H3Q")
_ZIP64: Final = 1
_IN_EXTRA: Final = 0xFFFFFFFF
_VERSION: Final = 45
_MADE_BY_UNIX: Final = 3 << 8 | _VERSION
_FLAGS: Final = 1 << 3 | 1 << 11  # 4.4.4: sizes follow the file; names are UTF-8
_DEFLATED: Final = 8
_OWNER_ONLY: Final = 0o100600 << 16
_LEVEL: Final = 1  # most bytes are base64 or compressed already: more effort gains little
# Up to here deflating takes less time than handing it to a thread and back.
_INLINE_BYTES: Final = 16 * 1024
_AT_ONCE: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """A file: its name, unique in the archive, and its bytes."""

    name: str
    chunks: AsyncGenerator[bytes, None]


async def zipped(files: AsyncGenerator[ArchiveFile, None], *, modified: datetime) -> AsyncGenerator[bytes, None]:
    """The bytes of the archive, some 64 KB at a time. What reading raises ends it: it has no directory then."""
    writer, waiting = _Writer(modified), bytearray()
    async with aclosing(files):
        async for file in files:
            async with aclosing(_member(writer, file)) as member:
                async for data in member:
                    waiting += data
                    if len(waiting) >= _AT_ONCE:
                        yield bytes(waiting)
                        waiting.clear()
    yield bytes(waiting)
    for piece in writer.finish():
        yield piece


async def _member(writer: _Writer, file: ArchiveFile) -> AsyncGenerator[bytes, None]:
    yield writer.begin(file.name)
    async with aclosing(file.chunks) as chunks:
        async for chunk in chunks:
            inline = len(chunk) <= _INLINE_BYTES
            yield writer.add(chunk) if inline else await asyncio.to_thread(writer.add, chunk)
    yield writer.end()


class _Writer:
    def __init__(self, modified: datetime) -> None:
        # 4.4.6: no second but the even ones, no zone, no year before 1980.
        self._date = (modified.year - 1980) << 9 | modified.month << 5 | modified.day
        self._time = modified.hour << 11 | modified.minute << 5 | modified.second // 2
        self._directory = bytearray()
        self._count = 0
        self._offset = 0  # of what comes next
        self._name = b""
        self._began_at = self._size = self._compressed = self._crc = 0
        self._deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)

    def begin(self, name: str) -> bytes:
        self._name, self._began_at = name.encode(), self._offset
        self._size = self._compressed = self._crc = 0
        self._deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        fields = _VERSION, _FLAGS, _DEFLATED, self._time, self._date, 0, _IN_EXTRA, _IN_EXTRA
        header = _LOCAL.pack(b"PK\3\4", *fields, len(self._name), _EXTRA_2.size)
        return self._written(header + self._name + _EXTRA_2.pack(_ZIP64, 16, 0, 0))

    def add(self, chunk: bytes) -> bytes:
        self._crc = zlib.crc32(chunk, self._crc)
        self._size += len(chunk)
        return self._compressed_bytes(self._deflate.compress(chunk))

    def end(self) -> bytes:
        rest = self._compressed_bytes(self._deflate.flush())
        self._enter()
        return rest + self._written(_DESCRIPTOR.pack(b"PK\7\x08", self._crc, self._compressed, self._size))

    def finish(self) -> Iterator[bytes]:
        """The directory, some 64 KB at a time, and the end of the archive."""
        for at in range(0, len(self._directory), _AT_ONCE):
            yield bytes(self._directory[at : at + _AT_ONCE])
        start, size, count = self._offset, len(self._directory), self._count
        end_64 = _END_64.pack(b"PK\6\6", _END_64.size - 12, _MADE_BY_UNIX, _VERSION, 0, 0, count, count, size, start)
        locator = _LOCATOR.pack(b"PK\6\7", 0, start + size, 1)
        end = _END.pack(b"PK\5\6", 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, _IN_EXTRA, _IN_EXTRA, 0)
        yield end_64 + locator + end

    def _enter(self) -> None:
        """Note the file in the directory."""
        fields = _MADE_BY_UNIX, _VERSION, _FLAGS, _DEFLATED, self._time, self._date, self._crc, _IN_EXTRA, _IN_EXTRA
        header = _CENTRAL.pack(b"PK\1\2", *fields, len(self._name), _EXTRA_3.size, 0, 0, 0, _OWNER_ONLY, _IN_EXTRA)
        sizes = _EXTRA_3.pack(_ZIP64, 24, self._size, self._compressed, self._began_at)
        self._directory += header + self._name + sizes
        self._count += 1

    def _compressed_bytes(self, data: bytes) -> bytes:
        self._compressed += len(data)
        return self._written(data)

    def _written(self, data: bytes) -> bytes:
        self._offset += len(data)
        return data
