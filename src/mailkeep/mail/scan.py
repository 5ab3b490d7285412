"""A client of clamd: it is sent bytes, piece by piece, and says what malware is in them (INSTREAM, see clamd(8)).

Not aioclamd: version 1.1.0 knows no unix socket, sends 1 KiB at a time with a thread switch for each (4.4 s for a
mail of 25 MB, of which clamd needs 0.13 s), and loses clamd's reason when it hangs up before the end.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterable, Awaitable, Callable
from contextlib import suppress
from typing import Final

from mailkeep.errors import ScannerUnavailable

# Put before a mail, so that clamd takes it for one. It goes by bytes at fixed places, up to 1,028 from the start, and
# the sender chooses what stands there: `MZ: x` as the first header makes a program of the mail, `ustar` at 257 an
# archive, behind any Received field. Nothing in its parts is found then.
MAIL_MARK: Final = b"Received: by mailkeep" + (b"\r\n\t" + b"-" * 70) * 30 + b"\r\n"
MAX_NAME: Final = 255
_MAX_REPLY_BYTES: Final = 4096
_END: Final = b"\0"
_CLEAN: Final = "stream: OK"
_FOUND: Final = re.compile(r"stream: (.+) FOUND", re.DOTALL)

Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


class Clamd:
    """Scans over a connection of its own each time, as many at once as are asked for."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect

    @classmethod
    def over_tcp(cls, host: str, port: int) -> Clamd:
        return cls(lambda: asyncio.open_connection(host, port, limit=_MAX_REPLY_BYTES))

    @classmethod
    def over_unix(cls, path: str) -> Clamd:
        return cls(lambda: asyncio.open_unix_connection(path, limit=_MAX_REPLY_BYTES))

    async def scan(self, pieces: AsyncIterable[bytes]) -> str:
        """The name of what was found, empty when nothing was. It has no time limit of its own.

        Raises ScannerUnavailable, its text a reason for the log, and whatever `pieces` raises.
        """
        try:
            reader, writer = await self._connect()
        except OSError as error:
            raise ScannerUnavailable("clamd cannot be reached") from error
        try:
            return await _ask(reader, writer, pieces)
        finally:
            writer.transport.abort()  # `close` would wait for a clamd that takes nothing


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pieces: AsyncIterable[bytes]) -> str:
    """The reply is awaited from the start: clamd says why before it hangs up in the middle of a stream."""
    reply = asyncio.create_task(reader.readuntil(_END))
    try:
        was_sent = False
        with suppress(ConnectionError):  # then the reply, or its lack, says why
            was_sent = await _send(writer, pieces, reply)
        return _verdict(await reply, was_sent=was_sent)
    except (OSError, EOFError, asyncio.LimitOverrunError) as error:
        raise ScannerUnavailable("the connection to clamd broke off") from error
    finally:
        reply.cancel()
        await asyncio.gather(reply, return_exceptions=True)


async def _send(writer: asyncio.StreamWriter, pieces: AsyncIterable[bytes], reply: asyncio.Task[bytes]) -> bool:
    """False when clamd answered before the end. Raises ConnectionError."""
    writer.write(b"zINSTREAM\0")
    async for piece in pieces:
        if reply.done():
            return False
        if piece:  # an empty one would be the end
            writer.write(len(piece).to_bytes(4, "big") + piece)
            await writer.drain()
    writer.write(bytes(4))
    await writer.drain()
    return True


def _verdict(reply: bytes, *, was_sent: bool) -> str:
    """Raises ScannerUnavailable for everything but a statement about all that there was."""
    text = reply.removesuffix(_END).decode(errors="replace")
    if was_sent and text == _CLEAN:
        return ""
    if was_sent and (found := _FOUND.fullmatch(text)):
        return _printable(found[1]) or "unnamed"
    raise ScannerUnavailable(f"clamd said: {_printable(text)}")


def _printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable())[:MAX_NAME]
