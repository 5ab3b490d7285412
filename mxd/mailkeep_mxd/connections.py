"""The open sessions of one process, over all its mail listeners."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final, cast

import structlog

from mailkeep_mxd import replies
from mailkeep_mxd.door import Door, Flavour, client_ip_of, is_gone
from mailkeep_mxd.protocol import MailProtocol

# What is left of 30 s is for closing the database, and for whoever started us to see it.
STOP_S: Final = 25.0

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class Reception(asyncio.Protocol):
    """A connection before anybody knows whose it is: made a session, or told that there are too many, and closed."""

    def __init__(self, connections: Connections, flavour: Flavour) -> None:
        self._connections = connections
        self._flavour = flavour

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = cast("asyncio.Transport", transport)
        if is_gone(stream):
            stream.abort()
        elif not self._connections.admit(stream, self._flavour):
            stream.write(replies.TOO_MANY_CONNECTIONS.encode())
            stream.close()


class Connections:
    """Makes a session of each accepted connection, and ends them all when it is time."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._open: set[MailProtocol] = set()
        self._from_client = Counter[str]()

    def accept(self, flavour: Flavour) -> asyncio.Protocol:
        """The protocol of a new connection."""
        return Reception(self, flavour)

    def admit(self, stream: asyncio.Transport, flavour: Flavour) -> bool:
        """Begin a session, unless there are too many in all or from that address; a unix socket has none."""
        client_ip = client_ip_of(stream)
        limits = self._door.limits
        is_one_too_many = bool(client_ip) and self._from_client[client_ip] >= limits.max_connections_per_client
        if is_one_too_many or len(self._open) >= limits.max_connections:
            log.warning("session.turned_away", client_ip=client_ip, open=len(self._open))
            return False
        protocol = MailProtocol(self._door, flavour)
        stream.set_protocol(protocol)
        protocol.connection_made(stream)
        self._open.add(protocol)
        self._from_client[client_ip] += 1
        protocol.conversation.add_done_callback(lambda _: self._leave(protocol, client_ip))
        return True

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

    def _leave(self, protocol: MailProtocol, client_ip: str) -> None:
        self._open.discard(protocol)
        self._from_client[client_ip] -= 1
        if not self._from_client[client_ip]:
            del self._from_client[client_ip]
