"""What a session is given: what all sessions share, the protocol it speaks, and its connection."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final, Protocol

from mailkeep.config import Lmtp
from mailkeep.services.ingest import Ingest
from mailkeep_mxd.memory import MemoryBudget
from mailkeep_mxd.recipients import RecipientDirectory
from mailkeep_mxd.replies import Reply


@dataclass(frozen=True, slots=True)
class Door:
    """What all sessions of the process share."""

    limits: Lmtp
    hostname: str
    recipients: RecipientDirectory
    ingest: Ingest
    memory: MemoryBudget


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
    def client_ip(self) -> str: ...
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
