"""What a session is given: what all sessions share, the protocol it speaks, and its connection."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final, Protocol

from mailkeep.config import Lmtp
from mailkeep.services.ingest import Ingest
from mailkeep_mxd.memory import MemoryBudget
from mailkeep_mxd.recipients import RecipientDirectory
from mailkeep_mxd.replies import Reply
from mailkeep_mxd.tls import ServerTls


@dataclass(frozen=True, slots=True)
class Door:
    """What all sessions of the process share. `tls` is None where it is off."""

    limits: Lmtp
    hostname: str
    recipients: RecipientDirectory
    ingest: Ingest
    memory: MemoryBudget
    tls: ServerTls | None = None


@dataclass(frozen=True, slots=True)
class Flavour:
    """In what LMTP and SMTP differ: the greetings, and whether the final dot is answered for each recipient."""

    name: str
    extended_name: str
    greetings: frozenset[str]
    answers_each: bool


LMTP: Final = Flavour("LMTP", "LMTP", frozenset({"LHLO"}), answers_each=True)
SMTP: Final = Flavour("SMTP", "ESMTP", frozenset({"EHLO", "HELO"}), answers_each=False)


class Wire(Protocol):
    """The connection, as the session sees it."""

    @property
    def client_ip(self) -> str:
        """Empty for a client of a unix socket."""
        ...

    @property
    def tls(self) -> str:
        """The protocol and the cipher; empty without TLS."""
        ...

    @property
    def has_input(self) -> bool:
        """Whether the client has already sent more than the command that is being answered."""
        ...

    def send(self, *answers: Reply) -> None: ...
    def send_lines(self, *lines: str) -> None: ...
    def hang_up(self) -> None:
        """Close after what has been sent."""
        ...

    def content(self) -> AsyncGenerator[bytes, None]: ...
    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Go on under TLS, with nothing that was said before. Raises ConnectionError."""
        ...


def client_ip_of(stream: asyncio.BaseTransport) -> str:
    """Empty for a client of a unix socket."""
    peer = stream.get_extra_info("peername")
    return str(peer[0]) if isinstance(peer, tuple) else ""


def is_gone(stream: asyncio.BaseTransport) -> bool:
    """Whether the connection was reset before anybody looked: it has no peer, and must not pass for a local one."""
    return stream.get_extra_info("socket").family != socket.AF_UNIX and not client_ip_of(stream)
