"""A client that says what a script tells it, byte for byte, and checks what it hears."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Final

PATIENCE_S: Final = 10
# Attack case 11: an enhanced code with text after it, on every line, and its class agrees with the code.
_WELL_FORMED: Final = re.compile(r"([245])\d\d[ -]\1\.\d{1,3}\.\d{1,3} \S")

Line = tuple[str | bytes, *tuple[str, ...]]


class Conversation:
    """One connection to a mail listener. Every reply after the greetings is checked for its form."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def play(self, script: Iterable[Line]) -> None:
        """Say each first item as a line, and hear a reply that begins with each of the others."""
        for said, *expected in script:
            await self.say(said)
            await self.hear(*expected, after=said)

    async def say(self, text: str | bytes) -> None:
        await self.say_raw((text.encode() if isinstance(text, str) else text) + b"\r\n")

    async def say_raw(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def hear(self, *expected: str, after: str | bytes = "") -> list[str]:
        """As many replies as are expected. Raises AssertionError for another one."""
        heard = [await self.reply() for _ in expected]
        for reply, beginning in zip(heard, expected, strict=True):
            assert reply.startswith(beginning), f"after {after[:100]!r} expected {expected}, heard {heard}"
        return heard

    async def reply(self) -> str:
        """One reply, which may have several lines; empty when the connection is closed."""
        lines = []
        while True:
            line = await asyncio.wait_for(self._reader.readline(), PATIENCE_S)
            if not line:
                return ""
            assert line.endswith(b"\r\n"), line
            lines.append(line[:-2].decode())
            if line[3:4] == b" ":
                break
        self._check_form(lines)
        return "\n".join(lines)

    async def start_tls(self, context: ssl.SSLContext) -> ssl.SSLObject:
        """Go on under TLS, as a client that knows us as door.test. Raises SSLError, ConnectionError."""
        await self._writer.start_tls(context, server_hostname="door.test")
        secured: ssl.SSLObject = self._writer.get_extra_info("ssl_object")
        return secured

    async def rest(self) -> str:
        """Everything up to the end, which comes in time."""
        return (await asyncio.wait_for(self._reader.read(), PATIENCE_S)).decode()

    async def rest_of_bytes(self) -> bytes:
        """Like `rest`, of what may be no text; the end may be a reset."""
        try:
            return await asyncio.wait_for(self._reader.read(), PATIENCE_S)
        except (ConnectionError, ssl.SSLError):
            return b""

    def finish_saying(self) -> None:
        """Close our half."""
        self._writer.write_eof()

    def vanish(self) -> None:
        """Reset the connection."""
        transport = self._writer.transport
        transport.abort()

    async def close(self) -> None:
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except ConnectionError:
            return  # the other side was first

    @staticmethod
    def _check_form(lines: list[str]) -> None:
        # RFC 2034 section 4: not the greeting, the answer to LHLO, and 354.
        is_greeting = lines[0].startswith("220 ") or (len(lines) > 1 and lines[1].startswith("250-PIPELINING"))
        if not is_greeting and not lines[0].startswith(("354 ", "250 door.test")):
            for line in lines:
                assert _WELL_FORMED.match(line), line


@asynccontextmanager
async def conversation(place: str, *, client_ip: str = "127.0.0.1") -> AsyncIterator[Conversation]:
    """Connect to `host:port` from `client_ip`, or to `unix:/path`, and hear nothing yet."""
    if place.startswith("unix:"):
        reader, writer = await asyncio.open_unix_connection(place.removeprefix("unix:"))
    else:
        host, port = place.rsplit(":", 1)
        reader, writer = await asyncio.open_connection(host, int(port), local_addr=(client_ip, 0))
    talk = Conversation(reader, writer)
    try:
        yield talk
    finally:
        await talk.close()
