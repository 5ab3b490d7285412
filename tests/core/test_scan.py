"""The client of clamd against servers that do not behave: only a statement about all of it counts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from mailkeep.errors import ScannerUnavailable, StorageUnavailable
from mailkeep.mail.scan import MAX_NAME, Clamd
from mailkeep.mail.scan_probes import EICAR
from services.clamd import FOUND
from services.clamd import Clamd as Server

HELLO = b"zINSTREAM\0"


async def pieces(*content: bytes) -> AsyncGenerator[bytes, None]:
    for piece in content:
        yield piece


@asynccontextmanager
async def saying(reply: bytes, *, after: bytes, hangs_up: bool = True) -> AsyncIterator[Clamd]:
    """A server that says `reply` when it has read as far as `after`, and then hangs up, or listens on."""

    served = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):  # the client has heard enough
            await reader.readuntil(after)
            writer.write(reply)
            if not hangs_up:
                await reader.read()
        writer.close()
        served.set()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield Clamd.over_tcp("127.0.0.1", server.sockets[0].getsockname()[1])
        await asyncio.wait_for(served.wait(), 10)


STREAM_END = b"x" + bytes(4)


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"\0",
        b"stream: OK",  # cut off
        b"OK\0",
        b"stream: \0",
        b"stream: FOUND\0",
        b"stream: OK FOUND? \0",
        b"stream: lstat() failed: No such file or directory. ERROR\0",
        b"stream: Can't allocate memory ERROR\0",
        b"INSTREAM size limit exceeded. ERROR\0",
        b"UNKNOWN COMMAND\0",
        b"\xff\xfe\x00",
        b"x" * 100_000 + b"\0",
    ],
)
async def test_what_is_no_verdict_is_no_scan(reply: bytes) -> None:
    async with saying(reply, after=STREAM_END) as clamd:
        with pytest.raises(ScannerUnavailable):
            await clamd.scan(pieces(b"x"))


async def test_a_verdict_before_the_end_is_none() -> None:
    """A balancer in between, for example, that answers for a server that is gone."""
    async with saying(b"stream: OK\0", after=HELLO, hangs_up=False) as clamd:

        async def slow() -> AsyncGenerator[bytes, None]:
            for _ in range(20):
                yield b"x"
                await asyncio.sleep(0.02)

        with pytest.raises(ScannerUnavailable):
            await clamd.scan(slow())


async def test_the_reason_is_heard_in_the_middle_of_a_stream() -> None:
    async with saying(b"INSTREAM size limit exceeded. ERROR\0", after=HELLO, hangs_up=False) as clamd:

        async def endless() -> AsyncGenerator[bytes, None]:
            while True:
                yield bytes(100_000)
                await asyncio.sleep(0)

        with pytest.raises(ScannerUnavailable, match="size limit exceeded"):
            async with asyncio.timeout(10):
                await clamd.scan(endless())


async def test_a_name_is_shown_as_text() -> None:
    async with saying(b"stream: a\x1b[31m\r\n b\xff" + b"c" * 1000 + b" FOUND\0", after=STREAM_END) as clamd:
        name = await clamd.scan(pieces(b"x"))
    assert name.isprintable()
    assert len(name) == MAX_NAME
    assert name.startswith("a[31m b")


async def test_what_cannot_be_read_is_no_scan(clamd: Server) -> None:
    async def failing() -> AsyncGenerator[bytes, None]:
        yield b"x"
        raise StorageUnavailable("gone")

    with pytest.raises(StorageUnavailable):
        await Clamd.over_tcp("127.0.0.1", clamd.port).scan(failing())


async def test_pieces_of_any_size_are_one_stream(clamd: Server) -> None:
    for connection in (Clamd.over_tcp("127.0.0.1", clamd.port), Clamd.over_unix(str(clamd.socket))):
        assert await connection.scan(pieces(*(bytes([byte]) for byte in EICAR))) == FOUND
        assert await connection.scan(pieces(b"", EICAR[:30], b"", EICAR[30:], b"")) == FOUND
        assert await connection.scan(pieces()) == ""
        assert await connection.scan(pieces(EICAR[:-1])) == ""


async def test_nobody_listens() -> None:
    for clamd in (
        Clamd.over_tcp("127.0.0.1", 1),
        Clamd.over_unix("/nowhere/clamd.ctl"),
        Clamd.over_tcp("x.invalid", 1),
    ):
        with pytest.raises(ScannerUnavailable, match="cannot be reached"):
            await clamd.scan(pieces(b"x"))
