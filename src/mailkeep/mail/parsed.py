"""What the parser makes of a message."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from mailkeep.domain.mailbox import Mailbox
from mailkeep.domain.structure import MimePart
from mailkeep.mail.spool import Spool


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """A part kept as a file; its bytes wait in `spool`. `section` is its place in the tree (see MimePart)."""

    filename: str
    declared_type: str
    detected_type: str
    size_bytes: int
    sha256: str
    disposition: str
    content_id: str
    section: str
    spool: Spool


@dataclass(frozen=True, slots=True)
class ParsedMessage:
    """What a message says. `defects` are codes, sorted: those of the message and of all its parts.

    `text` and `html` are what a mail reader would show of all its parts. `queue_id` is what the last hop called the
    message, `received_tls` what it says of the TLS by which it came there.
    """

    headers: tuple[tuple[str, str], ...]
    senders: tuple[Mailbox, ...]
    to: tuple[Mailbox, ...]
    cc: tuple[Mailbox, ...]
    reply_to: tuple[Mailbox, ...]
    subject: str
    date: datetime | None
    message_id: str
    text: str | None
    html: str | None
    snippet: str
    files: tuple[ParsedFile, ...]
    defects: tuple[str, ...]
    structure: MimePart | None
    queue_id: str
    received_tls: str
    received_count: int

    @property
    def sender(self) -> Mailbox:
        """The first mailbox of From."""
        return self.senders[0] if self.senders else Mailbox("", "")


UNPARSED: Final = ParsedMessage(
    headers=(),
    senders=(),
    to=(),
    cc=(),
    reply_to=(),
    subject="",
    date=None,
    message_id="",
    text=None,
    html=None,
    snippet="",
    files=(),
    defects=("parse_failed",),
    structure=None,
    queue_id="",
    received_tls="",
    received_count=0,
)
SKIPPED: Final = replace(UNPARSED, defects=("parse_skipped",))
