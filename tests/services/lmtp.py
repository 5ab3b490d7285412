"""LMTP as Postfix speaks it, byte by byte, so that a test can say anything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

REPLY_TIMEOUT_S = 60


def dot_stuffed(content: bytes) -> bytes:
    """Content as it goes over the wire after DATA, with the final dot (RFC 5321 section 4.5.2).

    A line ends with CRLF and nothing else. Content that does not end with CRLF gets one: it is part of the terminator.
    """
    stuffed = content.replace(b"\r\n.", b"\r\n..")
    if stuffed.startswith(b"."):
        stuffed = b"." + stuffed
    if not stuffed.endswith(b"\r\n"):
        stuffed += b"\r\n"
    return stuffed + b".\r\n"


class LmtpClient:
    """One connection after LHLO."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def reply(self) -> str:
        """The next reply, all its lines. Raises TimeoutError, IncompleteReadError when the server hangs up."""
        lines = []
        async with asyncio.timeout(REPLY_TIMEOUT_S):
            while True:
                line = (await self._reader.readuntil(b"\n")).decode()
                lines.append(line.rstrip())
                if line[3:4] != "-":
                    return "\n".join(lines)

    async def command(self, line: str) -> str:
        self._writer.write(line.encode() + b"\r\n")
        return await self.reply()

    async def envelope(self, recipients: Sequence[str], *, sender: str = "sender@client.test") -> list[str]:
        """MAIL and each RCPT; the replies to the RCPTs."""
        reply = await self.command(f"MAIL FROM:<{sender}>")
        assert reply.startswith("250"), reply
        return [await self.command(f"RCPT TO:<{recipient}>") for recipient in recipients]

    async def data(self, content: bytes, *, recipients: int) -> list[str]:
        """DATA and the content; one reply for each accepted recipient (RFC 2033 section 4.2)."""
        return await self.stuffed_data([dot_stuffed(content)], recipients=recipients)

    async def say(self, piece: bytes) -> None:
        """Bytes as they are, which may be half of something."""
        self._writer.write(piece)
        await self._writer.drain()

    async def content(self, content: bytes, *, recipients: int) -> list[str]:
        """What follows a 354; one reply for each accepted recipient."""
        await self.say_content(content)
        return [await self.reply() for _ in range(recipients)]

    async def say_content(self, content: bytes) -> None:
        """What follows a 354, final dot included."""
        await self.say(dot_stuffed(content))

    async def stuffed_data(self, pieces: Iterable[bytes | memoryview], *, recipients: int) -> list[str]:
        """DATA and what goes over the wire after it, piece by piece, final dot included."""
        go_ahead = await self.command("DATA")
        assert go_ahead.startswith("354"), go_ahead
        for piece in pieces:
            self._writer.write(piece)
            await self._writer.drain()
        return [await self.reply() for _ in range(recipients)]

    async def deliver(self, recipients: Sequence[str], content: bytes) -> list[str]:
        """One whole transaction in which every recipient is accepted; the replies after the final dot."""
        refused = [reply for reply in await self.envelope(recipients) if not reply.startswith("250")]
        assert not refused, refused
        return await self.data(content, recipients=len(recipients))


@asynccontextmanager
async def lmtp_client(port: int) -> AsyncIterator[LmtpClient]:
    """A connection that has greeted, closed at the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    client = LmtpClient(reader, writer)
    try:
        greeting = await client.reply()
        assert greeting.startswith("220"), greeting
        answer = await client.command("LHLO client.test")
        assert answer.startswith("250"), answer
        yield client
    finally:
        writer.close()
        # The server may have gone first: what was to be said has been said.
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)
