"""Replies on their way: what is said within one turn of the event loop goes out in one write (RFC 2920 section 3.2)."""

from __future__ import annotations

import asyncio


class Outbox:
    """Whatever is put in leaves before the loop waits for input again, or when `flush` is called."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.pending_bytes = 0
        self._loop = loop
        self._pending: list[bytes] = []
        self._stream: asyncio.Transport | None = None

    def attach(self, stream: asyncio.Transport) -> None:
        self._stream = stream

    def detach(self) -> None:
        """While TLS is being set up nothing can be said."""
        self.flush()
        self._stream = None

    def put(self, data: bytes) -> None:
        if not self._pending:
            self._loop.call_soon(self.flush)
        self._pending.append(data)
        self.pending_bytes += len(data)

    def flush(self) -> None:
        """Hand everything to the transport; to one that is closing, nothing."""
        if self._pending and self._stream is not None and not self._stream.is_closing():
            self._stream.write(b"".join(self._pending))
        self._pending.clear()
        self.pending_bytes = 0
