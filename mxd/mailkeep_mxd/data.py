"""The content of a message, from after 354 to the dot (RFC 5321 sections 4.1.1.4 and 4.5.2), in chunks.

Only <CRLF>.<CRLF> ends it. A bare CR, a bare LF and a NUL are content like any other byte, so that nothing a sender
writes can look like the end here and not there (CVE-2023-51764, -51765, -51766, CVE-2024-27305).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Final

CRLF: Final = b"\r\n"
END: Final = b"\r\n.\r\n"
MAX_CHUNK_BYTES: Final = 256 * 1024


async def content_chunks(reader: asyncio.StreamReader, took: Callable[[int], None]) -> AsyncGenerator[bytes, None]:
    r"""The unstuffed content, chunk by chunk; what follows the end stays in the reader.

    The reader must stand before the CRLF that ended the DATA command: it is the first half of <CRLF>.<CRLF> when
    the message is empty, and makes the first line like every other. `took` is told how many bytes left the reader.
    Raises IncompleteReadError when the client is gone before the end.
    """
    unstuffer = Unstuffer()
    while True:
        raw, is_last = await _read_raw(reader)
        took(len(raw))
        chunk = unstuffer.last(raw) if is_last else unstuffer.feed(raw)
        if chunk:
            yield chunk
        if is_last:
            return


async def _read_raw(reader: asyncio.StreamReader) -> tuple[bytes, bool]:
    """Bytes as sent, and whether they end with the end. The end is never split over two of them."""
    try:
        return await reader.readuntil(END), True
    except asyncio.LimitOverrunError as overrun:
        # Those bytes hold no beginning of an end; what may be one was left out of the count.
        return await reader.read(min(overrun.consumed, MAX_CHUNK_BYTES)), False


class Unstuffer:
    """Takes away the dot that the client put before a dot (RFC 5321 section 4.5.2), wherever the chunks are cut."""

    def __init__(self) -> None:
        # The CR or CRLF that ended the last chunk: whether a dot follows is seen with the next.
        self._held_back = b""
        self._at_start = True

    def feed(self, raw: bytes) -> bytes:
        """A chunk of content, which may be empty."""
        raw = self._held_back + raw if self._held_back else raw
        if raw.endswith(CRLF):
            self._held_back = CRLF
        elif raw.endswith(b"\r"):
            self._held_back = b"\r"
        else:
            self._held_back = b""
        return self._unstuff(raw[: len(raw) - len(self._held_back)] if self._held_back else raw)

    def last(self, raw: bytes) -> bytes:
        """The rest of the content. `raw` ends with the end, of which the first CRLF belongs to the last line."""
        return self._unstuff((self._held_back + raw)[: -len(b".\r\n")])

    def _unstuff(self, raw: bytes) -> bytes:
        content = raw.replace(b"\r\n.", CRLF)
        if self._at_start and content:
            self._at_start = False
            return content[len(CRLF) :]
        return content
