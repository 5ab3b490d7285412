"""Messages: as they arrive, as they are parsed, and as they are shown."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from mailkeep.domain.mailbox import Mailbox
from mailkeep.domain.query import Query
from mailkeep.domain.structure import MimePart


@dataclass(frozen=True, slots=True)
class Transport:
    """How a message reached us: the client that handed it over, its greeting, the protocol and its TLS."""

    client_ip: str = ""
    client_name: str = ""
    helo: str = ""
    protocol: str = ""
    tls: str = ""


@dataclass(frozen=True, slots=True)
class Envelope:
    """RFC 5321 section 2.3.1. `rcpt_to` holds the owner's recipients only: nobody sees another's."""

    mail_from: str
    rcpt_to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part that is kept as a file.

    `content_id` is the part's Content-ID without its brackets, `section` its place in the tree (see MimePart).
    `malware` is what a scanner found in it, by the scanner's name; empty when it found nothing, or did not look.
    """

    id: str
    filename: str
    declared_type: str
    detected_type: str
    size_bytes: int
    sha256: str
    disposition: str
    content_id: str
    section: str
    blob_key: str
    malware: str = ""

    @property
    def is_quarantined(self) -> bool:
        """Whether nobody may be given its bytes."""
        return self.malware != ""


@dataclass(frozen=True, slots=True)
class MessageSummary:
    """A message as a list shows it. `seq` orders an account's messages and is the cursor of every list."""

    id: str
    account_id: str
    seq: int
    address_id: str
    address: str
    tag: str | None
    sender: Mailbox
    subject: str
    snippet: str
    received_at: datetime
    expires_at: datetime
    read_at: datetime | None
    size_bytes: int
    has_attachments: bool


class LinkWarning(StrEnum):
    """What is odd about a link. The first two: its text names something else than it leads to."""

    OTHER_HOST = "other_host"
    OTHER_MAILBOX = "other_mailbox"
    USER_INFO = "user_info"  # https://bank.example@evil.example leads to evil.example
    LOOK_ALIKE = "look_alike"  # letters of another alphabet that look like Latin ones
    INTERNATIONAL = "international"


@dataclass(frozen=True, slots=True)
class Link:
    """A link that can be clicked. `host` is where it leads, in A-labels (`xn--…`)."""

    text: str
    href: str
    host: str
    warnings: tuple[LinkWarning, ...] = ()

    @property
    def differs(self) -> bool:
        """Whether its text says that it leads elsewhere."""
        return LinkWarning.OTHER_HOST in self.warnings or LinkWarning.OTHER_MAILBOX in self.warnings


@dataclass(frozen=True, slots=True)
class SafeHtml:
    """A sanitised document, its links, and what was taken out of it: kind (`handler`, `tracker` …) → count."""

    html: str
    removed: Mapping[str, int]
    links: tuple[Link, ...] = ()
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class MessageDetail:
    """A message as its own page shows it. `html` is as received: sanitise it before anybody looks at it.

    `senders` are all mailboxes of From. `structure` is None when the message could not be taken apart. `malware` is
    what a scanner found in the message as a whole; empty when it found nothing, or did not look.
    """

    summary: MessageSummary
    envelope: Envelope
    transport: Transport
    senders: tuple[Mailbox, ...]
    to: tuple[Mailbox, ...]
    cc: tuple[Mailbox, ...]
    reply_to: tuple[Mailbox, ...]
    date: datetime | None
    message_id: str
    headers: tuple[tuple[str, str], ...]
    text: str | None
    html: str | None
    attachments: tuple[Attachment, ...] = field(default=())
    defects: tuple[str, ...] = field(default=())
    structure: MimePart | None = None
    malware: str = ""

    @property
    def is_quarantined(self) -> bool:
        """Whether nobody may be given its source or its HTML as received. Each attachment speaks for itself."""
        return self.malware != ""

    @property
    def ambiguous(self) -> bool:
        """Whether From leaves open who wrote it: it does not name exactly one address, or there are two of it."""
        addresses = [sender.address for sender in self.senders]
        return len(addresses) != 1 or not addresses[0] or "from_ambiguous" in self.defects

    def parts(self) -> Mapping[str, MimePart]:
        """The parts by their numbers; none when the message could not be taken apart."""
        return {} if self.structure is None else {part.section: part for part in self.structure.walk()}


@dataclass(frozen=True, slots=True)
class MessageQuery:
    """Which messages: of one address, newer than the seq `after`, older than the seq `before`.

    `search`: and that meet all of its terms. A page holds the newest of them; with `after` alone it holds the oldest,
    those that come next for whoever has seen all up to there.
    """

    address_id: str | None = None
    search: Query = field(default=Query(()))
    after: int | None = None
    before: int | None = None
    limit: int = 50

    @property
    def goes_up(self) -> bool:
        """Whether pages follow each other from the oldest message to the newest."""
        return self.after is not None and self.before is None


@dataclass(frozen=True, slots=True)
class MessagePage:
    """Messages, newest first, whichever way the pages go.

    `more` is where the next page begins, None when this is the last one: its `after` when the query goes up, else its
    `before`. `cursor` is the seq up to which this page and, when the query goes down, those that follow it hold all
    there was: with it as `after` nothing is missed and nothing seen twice.
    """

    items: list[MessageSummary]
    more: int | None
    cursor: int


@dataclass(frozen=True, slots=True)
class Download:
    """Bytes to be streamed out, with what a safe answer needs to know of them. Whoever stops early closes `chunks`.

    `digest` is the same for the same bytes and no others, in hex; empty when it is not known.
    """

    chunks: AsyncGenerator[bytes, None]
    size_bytes: int
    filename: str
    media_type: str
    digest: str = ""
