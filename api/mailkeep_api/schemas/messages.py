"""Messages, in a list and alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from pydantic import Field

from mailkeep.domain.mailbox import Mailbox
from mailkeep.domain.message import Attachment, Envelope, Link, MessageDetail, MessageSummary, SafeHtml, Transport
from mailkeep.domain.query import Span
from mailkeep.domain.structure import MimePart, Role
from mailkeep.mail.filenames import visible_name
from mailkeep.services.near_misses import NearMiss
from mailkeep_api.schemas.addresses import AddressText
from mailkeep_api.schemas.shapes import MAX_PAGE, Flag, In, Instant, Out, Query, Seq

MAX_WAIT_S: Final = 60  # proxies end what takes longer

SEARCH: Final = (
    'A search: words and "quoted phrases" that the sender, the recipients, the subject, the body or a file name has; '
    "from: to: subject: body: filename: tag: header:Name=value; has:attachment; is:unread or is:read; "
    "after: and before: with 2026-11-24, 2026-11-24T09:30:00Z, 7d or 2h; larger: and smaller: with 10k or 5m; "
    "- before a term excludes it. All terms must be met."
)


class EventsQuery(Query):
    """Which messages a stream is to hold."""

    address: AddressText | None = Field(default=None, description="the id or the address")
    q: str = Field(default="", description=SEARCH, examples=['from:shop subject:"order 17" -is:read after:7d'])
    after: Seq | None = Field(default=None, description="a message's seq: newer than that")


class MessageQueryIn(EventsQuery):
    """Cursors are a message's `seq`: newer than `after`, older than `before`."""

    before: Seq | None = Field(default=None, description="a message's seq: older than that")
    limit: int = Field(default=50, ge=1, le=MAX_PAGE)
    wait: float | None = Field(
        default=None,
        ge=0,
        le=MAX_WAIT_S,
        allow_inf_nan=False,
        description="seconds, with fractions, to wait for messages; not together with `before`",
    )
    count: int | None = Field(
        default=None,
        ge=0,
        le=MAX_PAGE,
        description="how many messages to wait for, at most `limit`; 1 when it is not given; 0: wait for none to come",
    )


class FoundQuery(Query):
    """There is no way to change or delete all messages by saying nothing."""

    q: str = Field(description=SEARCH, pattern=r"\S")


class DeletedOut(Out):
    """How many messages were deleted."""

    deleted: int


class UpdatedOut(Out):
    """How many messages were marked, those included that were so already."""

    updated: int


class MessageChange(In):
    read: bool


class HtmlQuery(Query):
    raw: Flag = Field(default="0", description="1: as received, as text/plain")


class MailboxOut(Out):
    name: str
    address: str

    @classmethod
    def of(cls, mailbox: Mailbox) -> MailboxOut:
        return cls(name=mailbox.name, address=mailbox.address)


class MessageItem(Out):
    """A message in a list."""

    id: str
    seq: int
    address: str
    tag: str | None
    sender: MailboxOut = Field(serialization_alias="from")
    subject: str
    snippet: str
    received_at: Instant
    size_bytes: int
    has_attachments: bool
    read: bool
    expires_at: Instant

    @classmethod
    def of(cls, summary: MessageSummary) -> MessageItem:
        return cls(
            id=summary.id,
            seq=summary.seq,
            address=summary.address,
            tag=summary.tag,
            sender=MailboxOut.of(summary.sender),
            subject=summary.subject,
            snippet=summary.snippet,
            received_at=summary.received_at,
            size_bytes=summary.size_bytes,
            has_attachments=summary.has_attachments,
            read=summary.read_at is not None,
            expires_at=summary.expires_at,
        )


class FailedCriterion(Out):
    """What of a request a message does not meet: its address, or a term of its search as it was typed.

    `position` and `length` say where the term stands in `q`, in characters from 0.
    """

    parameter: Literal["address", "q"]
    text: str
    position: int | None
    length: int | None


class NearMissOut(Out):
    """A message that came while another was waited for, and all the criteria that it failed."""

    message: MessageItem
    failed: tuple[FailedCriterion, ...]

    @classmethod
    def of(cls, miss: NearMiss, address: str | None, q: str, spans: Sequence[Span]) -> NearMissOut:
        """`address` and `q` as they were sent, `spans` where the terms stand in `q`."""
        failed = [FailedCriterion(parameter="address", text=address or "", position=None, length=None)]
        terms = [
            FailedCriterion(parameter="q", text=span.of(q), position=span.position, length=span.length)
            for span in (spans[number] for number in miss.terms)
        ]
        return cls(message=MessageItem.of(miss.message), failed=(*(failed if miss.wrong_address else ()), *terms))


class MessageList(Out):
    """Newest first. `next` is the `before` of the next page, the older one, null on the last; `previous` is the `after`
    of the page before this one, null when nothing is newer. A page that they lead to can be empty; one of a long search
    can hold fewer messages than the limit and have a next one all the same.

    `cursor` as `after` goes on from here: all that was there up to it is on this page, or on those that follow. It also
    resumes a wait.

    `timed_out`: the time of a wait was over, all mail was looked at, and there was too little. `near_misses` are then
    the newest messages (10 at most) that came after `after`, or without it during the wait, and did not match.
    """

    items: tuple[MessageItem, ...]
    next: int | None
    previous: int | None
    cursor: int
    timed_out: bool
    near_misses: tuple[NearMissOut, ...]


class EnvelopeOut(Out):
    """RFC 5321 section 2.3.1; your own recipients only."""

    mail_from: str
    rcpt_to: tuple[str, ...]

    @classmethod
    def of(cls, envelope: Envelope) -> EnvelopeOut:
        return cls(mail_from=envelope.mail_from, rcpt_to=envelope.rcpt_to)


class LinkOut(Out):
    """`differs`: the text names another host or mailbox. `why`: what is odd about it. `host` is in A-labels."""

    text: str
    href: str
    host: str
    differs: bool
    why: tuple[str, ...]

    @classmethod
    def of(cls, link: Link) -> LinkOut:
        return cls(text=link.text, href=link.href, host=link.host, differs=link.differs, why=link.warnings)


class HtmlOut(Out):
    """The document after sanitising, its links (500 at most), and what was taken out of it: kind and count."""

    sanitised: str
    removed: dict[str, int]
    links: tuple[LinkOut, ...]
    truncated: bool

    @classmethod
    def of(cls, safe: SafeHtml) -> HtmlOut:
        return cls(
            sanitised=safe.html,
            removed=dict(safe.removed),
            links=tuple(map(LinkOut.of, safe.links)),
            truncated=safe.truncated,
        )


class AttachmentOut(Out):
    """A file. `filename` is safe to save under; `original_filename` is the name as it was sent, with what is invisible
    in it escaped, and empty when it is the same. `section` is its number in the tree, `inline` whether the HTML shows
    it in its place.
    """

    id: str
    filename: str
    original_filename: str
    declared_type: str
    detected_type: str
    size_bytes: int
    sha256: str
    disposition: str
    content_id: str
    section: str
    inline: bool
    malware: str = Field(description="what a scanner found in it, which nobody is given then; empty: nothing")

    @classmethod
    def of(cls, attachment: Attachment, part: MimePart | None) -> AttachmentOut:
        """`part` is what it was in the message, where that is known."""
        original = visible_name(part.filename) if part is not None else ""
        return cls(
            **{name: getattr(attachment, name) for name in cls.model_fields.keys() - {"original_filename", "inline"}},
            original_filename=original if original != attachment.filename else "",
            inline=part is not None and part.role is Role.INLINE,
        )


class TransportOut(Out):
    """How the message reached us."""

    client_ip: str
    client_name: str
    helo: str
    protocol: str
    tls: str

    @classmethod
    def of(cls, transport: Transport) -> TransportOut:
        return cls(**{name: getattr(transport, name) for name in cls.model_fields})


class MessageOut(MessageItem):
    """A message alone. `html` is null when it has none.

    `senders` are all mailboxes of From, of which `from` is the first; `ambiguous` says that they are not exactly one.
    `defects` are codes of what is odd about it: `…/structure` has the words.
    """

    envelope: EnvelopeOut
    senders: tuple[MailboxOut, ...]
    ambiguous: bool
    to: tuple[MailboxOut, ...]
    cc: tuple[MailboxOut, ...]
    reply_to: tuple[MailboxOut, ...]
    date: Instant | None
    message_id: str
    headers: tuple[tuple[str, str], ...]
    text: str | None
    html: HtmlOut | None
    attachments: tuple[AttachmentOut, ...]
    transport: TransportOut
    defects: tuple[str, ...]
    malware: str = Field(
        description="what a scanner found in the message: its source and its HTML as received are given to nobody "
        "then; empty: nothing"
    )

    @classmethod
    def of_detail(cls, detail: MessageDetail, safe: SafeHtml) -> MessageOut:
        parts = detail.parts()
        return cls(
            **dict(MessageItem.of(detail.summary)),
            envelope=EnvelopeOut.of(detail.envelope),
            senders=tuple(map(MailboxOut.of, detail.senders)),
            ambiguous=detail.ambiguous,
            to=tuple(map(MailboxOut.of, detail.to)),
            cc=tuple(map(MailboxOut.of, detail.cc)),
            reply_to=tuple(map(MailboxOut.of, detail.reply_to)),
            date=detail.date,
            message_id=detail.message_id,
            headers=detail.headers,
            text=detail.text,
            html=HtmlOut.of(safe) if detail.html is not None else None,
            attachments=tuple(AttachmentOut.of(each, parts.get(each.section)) for each in detail.attachments),
            transport=TransportOut.of(detail.transport),
            defects=detail.defects,
            malware=detail.malware,
        )
