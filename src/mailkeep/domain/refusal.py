"""Refusals: mail for an address that exists, which was not taken. They tell its owner why something did not arrive."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

# What is kept of what a client said; RFC 5321 section 4.5.3.1.3 allows a path 256.
MAX_MAILBOX_CHARS: Final = 320
MAX_HOST_CHARS: Final = 255
MAX_REASON_CHARS: Final = 255
MAX_IP_CHARS: Final = 64


@dataclass(frozen=True, slots=True)
class Refusal:
    """One address refused with one reply within one minute, `count` times, of which the first is told.

    `code` and `status` are the reply's (RFC 5321 section 4.2, RFC 3463) and `reason` its text; `rcpt_to` is the
    recipient as the client named it.
    """

    address_id: str
    code: int
    status: str
    reason: str
    mail_from: str
    rcpt_to: str
    client_ip: str
    client_name: str
    first_at: datetime
    last_at: datetime
    count: int = 1


@dataclass(frozen=True, slots=True)
class StoredRefusal:
    """A refusal as its owner lists it. `id` is the cursor of the list."""

    id: str
    refusal: Refusal
