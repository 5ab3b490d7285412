"""The way a message took, as its Received fields tell it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

# RFC 3848 and RFC 6531 section 4.3, and what servers write beside them.
_ENCRYPTED: Final = frozenset(
    {"ESMTPS", "ESMTPSA", "LMTPS", "LMTPSA", "SMTPS", "UTF8SMTPS", "UTF8SMTPSA", "UTF8LMTPS", "UTF8LMTPSA", "HTTPS"}
)


@dataclass(frozen=True, slots=True)
class Hop:
    """One Received field (RFC 5321 section 4.4). What it does not say is empty.

    `name` is what the client called itself; `host` and `ip` are what the server saw: the client's reverse name and
    address. `by`, `via` and `protocol` (its `with`), `id` and `recipient` (its `for`) are the server's own. `note` is
    what it says outside these clauses, as qmail does. `at` is in UTC. `delay_s` is the time in seconds since the hop
    before, or the last one before that named a time; below 0 when the clocks of the two disagree.

    Only the servers that one trusts have written what happened: whoever sent the message can have written the rest.
    """

    name: str = ""
    host: str = ""
    ip: str = ""
    by: str = ""
    via: str = ""
    protocol: str = ""
    id: str = ""
    recipient: str = ""
    tls_version: str = ""
    tls_cipher: str = ""
    note: str = ""
    at: datetime | None = None
    delay_s: float | None = None

    @property
    def encrypted(self) -> bool:
        """Whether it says that the way between client and server was encrypted."""
        return bool(self.tls_version or self.tls_cipher) or self.protocol.upper() in _ENCRYPTED

    @property
    def clocks_disagree(self) -> bool:
        """Whether it is said to have happened before the hop before it."""
        return self.delay_s is not None and self.delay_s < 0


@dataclass(frozen=True, slots=True)
class Route:
    """The hops of a message, the first one first, and the seconds between the first time named and the last."""

    hops: tuple[Hop, ...]
    total_s: float | None
