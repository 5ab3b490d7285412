"""Zip archives of unknown size."""

from __future__ import annotations

import io
import random
import struct
from collections.abc import AsyncGenerator, Mapping
from datetime import UTC, datetime
from zipfile import BadZipFile, ZipFile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailkeep.mail.zip_stream import ArchiveFile, zipped

MODIFIED = datetime(2026, 11, 24, 9, 30, 2, tzinfo=UTC)


async def pieces(content: bytes) -> AsyncGenerator[bytes, None]:
    for start in range(0, len(content), 50_000):
        yield content[start : start + 50_000]


async def files(contents: Mapping[str, bytes]) -> AsyncGenerator[ArchiveFile, None]:
    for name, content in contents.items():
        yield ArchiveFile(name, pieces(content))


async def archive_of(contents: Mapping[str, bytes]) -> bytes:
    return b"".join([chunk async for chunk in zipped(files(contents), modified=MODIFIED)])


@settings(deadline=None)
@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["C"], exclude_characters="/\\"), min_size=1),
        st.binary(max_size=3_000),
    )
)
async def test_what_goes_in_comes_out(contents: dict[str, bytes]) -> None:
    with ZipFile(io.BytesIO(await archive_of(contents))) as found:
        assert found.testzip() is None
        assert {info.filename: found.read(info) for info in found.infolist()} == contents


async def test_large_files_go_out_in_pieces() -> None:
    content = random.Random(1).randbytes(2_000_000)  # noqa: S311  bytes that cannot be compressed, no secret
    chunks = [chunk async for chunk in zipped(files({"a": content, "b": b"b" * 2_000_000}), modified=MODIFIED)]
    assert max(len(chunk) for chunk in chunks) < 200_000
    with ZipFile(io.BytesIO(b"".join(chunks))) as found:
        assert found.read("a") == content
        info = found.getinfo("b")
        assert (info.file_size, info.date_time, info.external_attr >> 16) == (
            2_000_000,
            (2026, 11, 24, 9, 30, 2),
            0o100600,
        )


async def test_numbers_have_64_bits() -> None:
    archive = await archive_of({"a": b"x"})
    end = archive[-22:]
    assert end[:4] == b"PK\5\6"
    assert struct.unpack("<2L", end[12:20]) == (0xFFFFFFFF, 0xFFFFFFFF)
    assert archive[-42:-38] == b"PK\6\7"


async def test_more_files_than_16_bits_count() -> None:
    contents = {f"{number}": b"" for number in range(66_000)}
    chunks = [chunk async for chunk in zipped(files(contents), modified=MODIFIED)]
    assert max(len(chunk) for chunk in chunks) < 100_000
    with ZipFile(io.BytesIO(b"".join(chunks))) as found:
        assert len(found.namelist()) == 66_000


async def test_one_that_broke_off_cannot_be_opened() -> None:
    archive = await archive_of({"a": b"x" * 1_000, "b": b"y"})
    for length in (0, 10, len(archive) // 2, len(archive) - 1):
        with pytest.raises(BadZipFile):
            ZipFile(io.BytesIO(archive[:length]))
