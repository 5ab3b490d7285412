"""What the client has sent, taken as command lines or as content, and counted on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from mailkeep_mxd.data import CRLF, content_chunks

STREAM_LIMIT_BYTES: Final = 64 * 1024
MAX_SKIPPED_BYTES: Final = 4 * 1024 * 1024  # of a line that is too long, before the client is given up


class EndlessLine(Exception):
    """A command line of which more came than anybody means."""


class Inbox:
    """Over the stream reader of a connection; whoever feeds the reader says so with `fed`."""

    def __init__(self) -> None:
        self.fed_bytes = 0
        self._taken_bytes = 0
        self._content_from = 0
        self._reader: asyncio.StreamReader

    @property
    def waiting_bytes(self) -> int:
        """What has come and was not taken yet."""
        return self.fed_bytes - self._taken_bytes

    @property
    def content_bytes(self) -> int:
        """What has come since the content of the last message began."""
        return self.fed_bytes - self._content_from

    def attach(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader

    def fed(self, count: int) -> None:
        self.fed_bytes += count

    async def line(self) -> bytes:
        """A command line with its end; empty for one that is too long, which is read and thrown away.

        Raises EndlessLine, and IncompleteReadError when the client is gone.
        """
        skipped_bytes = 0
        while True:
            try:
                line = await self._reader.readuntil(b"\n")
                break
            except asyncio.LimitOverrunError as overrun:
                skipped_bytes += len(await self._reader.read(overrun.consumed))
                if skipped_bytes > MAX_SKIPPED_BYTES:
                    self._took(skipped_bytes)
                    raise EndlessLine from overrun
        self._took(skipped_bytes + len(line))
        return b"" if skipped_bytes else line

    async def content(self) -> AsyncGenerator[bytes, None]:
        """The message, unstuffed (see data.py). Raises IncompleteReadError when the client is gone."""
        await self._put_back_crlf()
        self._content_from = self._taken_bytes
        async with aclosing(content_chunks(self._reader, self._took)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def drop(self) -> int:
        """Throw away what has come; how much that was. Does not wait: it is there already."""
        dropped = await self._reader.read(self.waiting_bytes) if self.waiting_bytes else b""
        self._took(len(dropped))
        return len(dropped)

    async def drain(self) -> None:
        """Throw away what comes until the client's end."""
        while await self._reader.read(STREAM_LIMIT_BYTES):
            pass

    def _took(self, count: int) -> None:
        self._taken_bytes += count

    async def _put_back_crlf(self) -> None:
        """Put the CRLF of the DATA command before what follows it, where data.py wants it.

        A client that did not wait for 354 has sent some of the content already: it is taken out and fed again.
        """
        early = await self._reader.read(self.waiting_bytes) if self.waiting_bytes else b""
        is_at_end = self._reader.at_eof()
        if is_at_end:  # a reader takes no more after its end
            self._reader = asyncio.StreamReader(limit=STREAM_LIMIT_BYTES)
        self._reader.feed_data(CRLF + early)
        self.fed_bytes += len(CRLF)
        if is_at_end:
            self._reader.feed_eof()
