"""Sources as they come out of the blob store: all of them, and a little at a time."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from mailkeep.errors import StorageUnavailable
from mailkeep.storage.sources import decompressed

BLOCK_BYTES = 128 * 1024


async def pieces(frame: bytes, size: int) -> AsyncGenerator[bytes, None]:
    for start in range(0, len(frame), size):
        yield frame[start : start + size]


def compressed(content: bytes, *, level: int = 1, checksum: bool = False) -> bytes:
    compressor = zstandard.ZstdCompressor(level=level, write_checksum=checksum).compressobj()
    return compressor.compress(content) + compressor.flush()


async def chunks_of(frame: bytes, size: int = 256 * 1024) -> list[bytes]:
    return [chunk async for chunk in decompressed(pieces(frame, size))]


@settings(deadline=None)
@given(st.binary(max_size=2_000), st.integers(1, 50), st.integers(1, 30), st.booleans(), st.sampled_from([1, 3]))
async def test_any_content_in_any_splitting(content: bytes, size: int, times: int, checksum: bool, level: int) -> None:
    frame = compressed(content * times, level=level, checksum=checksum)
    assert b"".join(await chunks_of(frame, size)) == content * times


@pytest.mark.parametrize("kind", ["one letter", "random", "both", "words"])
async def test_a_large_one_comes_a_little_at_a_time(kind: str) -> None:
    noise = os.urandom(3_000_000)
    content = {
        "one letter": b"x" * 36_000_000,
        "random": noise,
        "both": noise + b"x" * 20_000_000 + noise,
        "words": b"".join(b"word %d " % (number * number % 977) for number in range(500_000)),
    }[kind]
    for size in (256 * 1024, 1_000):
        chunks = await chunks_of(compressed(content), size)
        assert b"".join(chunks) == content
        assert max(map(len, chunks)) <= BLOCK_BYTES


async def test_what_is_damaged_or_cut_off_is_no_source() -> None:
    frame = compressed(os.urandom(10_000) + b"x" * 1_000_000, checksum=True)
    flipped = bytearray(frame)
    flipped[6_000] ^= 1
    whole_but_wrong = [bytes(flipped), b"From: nobody, compressed by nobody"]
    for damaged in (*whole_but_wrong, frame[:-1], frame[:5_000], frame[:3], b""):
        with pytest.raises(StorageUnavailable):
            await chunks_of(damaged)
