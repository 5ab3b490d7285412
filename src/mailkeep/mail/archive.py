"""Files in one zip archive, written while they are read: neither a temporary file nor a whole file in memory.

The files are stored as they are, so that the size of the archive is known before it begins; most of what is attached
to mail is compressed already. The same files make the same bytes.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zipfile import ZipFile, ZipInfo

from mailkeep.errors import StorageUnavailable

# APPNOTE.TXT sections 4.3.7, 4.3.9 and 4.3.12 of a member: its local header, data descriptor and central header; each
# header has the name. Section 4.3.16: the end of the archive.
_MEMBER_BYTES: Final = 30 + 16 + 46
_END_BYTES: Final = 22
_UNIX: Final = 3
_OWNER_ONLY: Final = 0o100600 << 16


@dataclass(frozen=True, slots=True)
class Member:
    """A file: its name in the archive, its size, and how to read it."""

    name: str
    size_bytes: int
    read: Callable[[], AsyncGenerator[bytes, None]]


class _Sink:
    """A stream without a position, as zipfile sees it. `take` gives what has been written since."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._written.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing is held open."""

    def take(self) -> bytes:
        taken = b"".join(self._written)
        self._written.clear()
        return taken


def archive_size(members: Sequence[Member]) -> int:
    """The size in bytes of what `archive` writes; below 4 GB in all."""
    return _END_BYTES + sum(_MEMBER_BYTES + 2 * len(member.name.encode()) + member.size_bytes for member in members)


async def archive(members: Sequence[Member], *, modified: datetime) -> AsyncGenerator[bytes, None]:
    """The bytes of an archive of `members`, whose names differ. Raises StorageUnavailable for a file cut off."""
    sink = _Sink()
    with ZipFile(sink, "w") as written:
        for member in members:
            with written.open(_header(member, modified), "w") as file:
                left = member.size_bytes
                async with aclosing(member.read()) as chunks:
                    async for chunk in chunks:
                        left -= len(chunk)
                        file.write(chunk)
                        yield sink.take()
                if left != 0:
                    raise StorageUnavailable("a stored attachment is damaged")
    yield sink.take()


def _header(member: Member, modified: datetime) -> ZipInfo:
    # A zip file knows no second but the even ones, no zone, and no year before 1980.
    header = ZipInfo(member.name, modified.timetuple()[:6])
    header.create_system = _UNIX
    header.external_attr = _OWNER_ONLY
    header.file_size = member.size_bytes
    return header
