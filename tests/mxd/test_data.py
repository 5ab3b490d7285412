"""DATA as bytes: whatever the sizes of the pieces in which it arrives, the content comes out and the rest stays."""

from __future__ import annotations

import asyncio
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkeep_mxd.data import Unstuffer, content_chunks

# Bytes out of which dots, line ends and their look-alikes come often.
TRICKY = st.lists(
    st.sampled_from([b".", b"\r", b"\n", b"\r\n", b"\r\n.", b"\r\n..", b"\n.\n", b"\0", b"x", b"\xff", b"\r\n\r\n"]),
    max_size=60,
).map(b"".join)
SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=10)


def stuff(content: bytes) -> bytes:
    """What a client sends for a content that ends with CRLF or is empty (RFC 5321 section 4.5.2)."""
    return re.sub(rb"(\A|\r\n)\.", rb"\1..", content) + b".\r\n"


def as_content(data: bytes) -> bytes:
    return data if data == b"" or data.endswith(b"\r\n") else data + b"\r\n"


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces, at, turn = [], 0, 0
    while at < len(data):
        pieces.append(data[at : at + sizes[turn % len(sizes)]])
        at, turn = at + sizes[turn % len(sizes)], turn + 1
    return pieces


async def read(pieces: list[bytes], *, limit: int) -> tuple[bytes, bytes]:
    """The content that comes out, and what is left in the reader."""
    reader = asyncio.StreamReader(limit=limit)
    content: list[bytes] = []

    async def consume() -> None:
        content.extend([chunk async for chunk in content_chunks(reader, lambda _: None)])

    task = asyncio.create_task(consume())
    for piece in pieces:
        reader.feed_data(piece)
        await asyncio.sleep(0)
    reader.feed_eof()
    await task
    return b"".join(content), await reader.read()


@given(TRICKY.map(as_content), SIZES, st.integers(5, 40), st.sampled_from([b"", b"NOOP\r\n", b".\r\n", b"\r\n.\r\n"]))
def test_unstuffed_is_what_was_stuffed(content: bytes, sizes: list[int], limit: int, pipelined: bytes) -> None:
    pieces = cut(b"\r\n" + stuff(content) + pipelined, sizes)
    assert asyncio.run(read(pieces, limit=limit)) == (content, pipelined)


@given(TRICKY.map(as_content), SIZES)
def test_unstuffer_does_not_mind_where_the_cuts_are(content: bytes, sizes: list[int]) -> None:
    unstuffer = Unstuffer()
    *pieces, last = cut(b"\r\n" + stuff(content), sizes)
    assert b"".join(map(unstuffer.feed, pieces)) + unstuffer.last(last) == content


@pytest.mark.parametrize(
    "look_alike",
    [
        b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\n.\r", b"\r\n.\r", b"\r.\r\n", b"\r\n\0.\r\n", b"\r\n.\0\r\n",
        b"\r\n.\r\r\n", b"\r\r\n.\r\r\n", b"\0\r\n.\n",
    ],
)  # fmt: skip
async def test_nothing_else_is_the_end(look_alike: bytes) -> None:
    content = b"before" + look_alike + b"MAIL FROM:<smuggled@evil.test>\r\n"
    found, rest = await read([b"\r\n" + content + b".\r\nQUIT\r\n"], limit=64)
    # A client that did not stuff its dot loses it; not one byte of the rest is taken for a command.
    assert found == content.replace(b"\r\n.", b"\r\n")
    assert rest == b"QUIT\r\n"


async def test_a_long_line_comes_in_chunks_that_core_takes() -> None:
    reader = asyncio.StreamReader(limit=64 * 1024)
    reader.feed_data(b"\r\n" + b"x" * 1_000_000 + b"\r\n.\r\n")
    sizes = [len(chunk) async for chunk in content_chunks(reader, lambda _: None)]
    assert sum(sizes) == 1_000_002
    assert max(sizes) <= 256 * 1024


async def test_a_client_that_is_gone_before_the_end_is_noticed() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(b"\r\nhalf a message\r\n.")
    reader.feed_eof()
    with pytest.raises(asyncio.IncompleteReadError):
        _ = [chunk async for chunk in content_chunks(reader, lambda _: None)]
