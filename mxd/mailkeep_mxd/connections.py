"""The open sessions of one process, over all its mail listeners."""

from __future__ import annotations

import asyncio
from typing import Final, cast

import structlog

from mailkeep_mxd import replies
from mailkeep_mxd.door import Door, Flavour
from mailkeep_mxd.protocol import MailProtocol

STOP_S: Final = 30.0

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class TurnedAway(asyncio.Protocol):
    """A connection beyond the limit: told so, and closed."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = cast("asyncio.Transport", transport)
        stream.write(replies.TOO_MANY_CONNECTIONS.encode())
        stream.close()


class Connections:
    """Makes a session of each accepted connection, and ends them all when it is time."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._open: set[MailProtocol] = set()

    def accept(self, flavour: Flavour) -> asyncio.Protocol:
        """The protocol of a new connection."""
        if len(self._open) >= self._door.limits.max_connections:
            log.warning("session.turned_away", open=len(self._open))
            return TurnedAway()
        return MailProtocol(self._door, flavour, open_sessions=self._open)

    async def finish(self) -> None:
        """Let what is under way end, for STOP_S at most; what was not answered then stays with its client."""
        conversations = {protocol.conversation for protocol in self._open}
        for protocol in tuple(self._open):
            protocol.stop()
        if not conversations:
            return
        _, pending = await asyncio.wait(conversations, timeout=STOP_S)
        for protocol in tuple(self._open):
            protocol.abort()
        if pending:
            log.warning("mxd.cut_off", sessions=len(pending))
            await asyncio.wait(pending)
