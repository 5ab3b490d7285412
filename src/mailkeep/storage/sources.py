"""Sources come out of the blob store a little at a time, however well they were compressed.

36 MB of one letter are 1 kB of zstd. Whoever decompresses what a read gives has all of them in memory, and the event
loop waits meanwhile. So a frame is cut into its blocks, none of which holds more than 128 KB.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from enum import Enum
from typing import Final

import zstandard

from mailkeep.errors import StorageUnavailable

# RFC 8878 section 3.1.1.2: of a block; one of this type is a byte and how often it is repeated.
_BLOCK_HEADER: Final = 3
_RLE: Final = 1


async def decompressed(chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """The bytes of a zstd frame, at most 128 KB at a time. Raises StorageUnavailable when it is damaged or cut off."""
    decompressor = zstandard.ZstdDecompressor().decompressobj()
    blocks = _Blocks()
    async with aclosing(chunks):
        try:
            async for chunk in chunks:
                for block in blocks.feed(chunk):
                    if data := decompressor.decompress(block):
                        yield data
        except zstandard.ZstdError as error:
            raise StorageUnavailable("a stored message is damaged") from error
    if not decompressor.eof:
        raise StorageUnavailable("a stored message is cut short")


class _Place(Enum):
    """What comes next in a frame."""

    HEADER = "header"
    BLOCK = "block"
    END = "end"  # a checksum, or nothing


class _Blocks:
    """Cuts a frame (RFC 8878 section 3.1.1) into its header, its blocks, and what follows the last one."""

    def __init__(self) -> None:
        self._held = b""
        self._place = _Place.HEADER

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The pieces that are whole by now. Raises ZstdError for what is no frame."""
        held, at = self._held + data, 0
        while len(held) - at >= _NEEDED[self._place]:
            size, place = self._next(held, at)
            if at + size > len(held):
                break
            yield held[at : at + size]
            at, self._place = at + size, place
        self._held = held[at:]

    def _next(self, held: bytes, at: int) -> tuple[int, _Place]:
        """The size of the piece that begins there, and what follows it."""
        if self._place is _Place.END:
            return len(held) - at, _Place.END
        if self._place is _Place.HEADER:
            return zstandard.frame_header_size(held), _Place.BLOCK
        header = int.from_bytes(held[at : at + _BLOCK_HEADER], "little")
        size = 1 if header >> 1 & 3 == _RLE else header >> 3
        return _BLOCK_HEADER + size, _Place.END if header & 1 else _Place.BLOCK


# How many bytes tell the size of the piece.
_NEEDED: Final = {_Place.HEADER: 6, _Place.BLOCK: _BLOCK_HEADER, _Place.END: 1}
