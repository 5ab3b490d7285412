"""What a message is made of: the tree of its parts, and what the special ones say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mailkeep.domain.mailbox import Mailbox


class Role(StrEnum):
    """What a part is to a reader."""

    CONTAINER = "container"  # multipart/*
    TEXT = "text"
    HTML = "html"
    ATTACHMENT = "attachment"
    INLINE = "inline"  # a file that the HTML shows in its place (RFC 2392)
    MESSAGE = "message"  # an attached message
    REPORT = "report"  # a machine's account of a delivery, a reading or an abuse
    CALENDAR = "calendar"
    SIGNATURE = "signature"  # S/MIME or PGP
    ENCRYPTED = "encrypted"  # S/MIME or PGP
    KEY = "key"  # a certificate or a public key
    TNEF = "tnef"  # winmail.dat


@dataclass(frozen=True, slots=True)
class AttachedMessage:
    """What an attached message says (RFC 2046 section 5.2.1). `text` is what a reader sees of it, as plain text."""

    senders: tuple[Mailbox, ...]
    to: tuple[Mailbox, ...]
    cc: tuple[Mailbox, ...]
    subject: str
    date: datetime | None
    message_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Report:
    """The fields of a report, a tuple a block: the first is of the message, each further one of a recipient.

    `message/delivery-status` (RFC 3464), `message/disposition-notification` (RFC 8098) and
    `message/feedback-report` (RFC 5965).
    """

    blocks: tuple[tuple[tuple[str, str], ...], ...]


@dataclass(frozen=True, slots=True)
class MimePart:
    """A node of the tree.

    `section` is the part's number as IMAP counts (RFC 9051 section 6.4.5): `2.1`; empty for the whole message.
    `size_bytes` is that of the decoded content; 0 for a multipart. `charset` is the one declared.
    """

    section: str
    role: Role
    media_type: str
    encoding: str
    size_bytes: int
    charset: str = ""
    disposition: str = ""
    filename: str = ""
    content_id: str = ""
    defects: tuple[str, ...] = ()
    parts: tuple[MimePart, ...] = ()
    message: AttachedMessage | None = None
    report: Report | None = None

    def walk(self) -> Iterator[MimePart]:
        """This part and all below it, in the order of the message."""
        yield self
        for part in self.parts:
            yield from part.walk()
