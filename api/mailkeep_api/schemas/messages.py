"""Messages, in a list and alone."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from mailkeep.domain.mailbox import Mailbox
from mailkeep.domain.message import Attachment, Envelope, Link, MessageDetail, MessageSummary, SafeHtml, Transport
from mailkeep.domain.structure import MimePart, Role
from mailkeep.mail.filenames import visible_name
from mailkeep_api.schemas.addresses import AddressText
from mailkeep_api.schemas.shapes import MAX_PAGE, Flag, In, Instant, Out, Query, Seq

SEARCH: Final = (
    'A search: words and "quoted phrases" that the sender, the recipients, the subject, the body or a file name has; '
    "from: to: subject: body: filename: tag: header:Name=value; has:attachment; is:unread or is:read; "
    "after: and before: with 2026-11-24, 2026-11-24T09:30:00Z, 7d or 2h; larger: and smaller: with 10k or 5m; "
    "- before a term excludes it. All terms must be met."
)


class MessageQueryIn(Query):
    """Cursors are a message's `seq`: newer than `after`, older than `before`."""

    address: AddressText | None = Field(default=None, description="the id or the address")
    q: str = Field(default="", description=SEARCH, examples=['from:shop subject:"order 17" -is:read after:7d'])
    after: Seq | None = None
    before: Seq | None = None
    limit: int = Field(default=50, ge=1, le=MAX_PAGE)


class MessageDeletionIn(Query):
    """There is no way to delete all messages by saying nothing."""

    q: str = Field(description=SEARCH, pattern=r"\S")


class DeletedOut(Out):
    """How many messages were deleted."""

    deleted: int


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


class MessageList(Out):
    """Newest first; `next` is the `before` of the next page, null on the last one.

    A page of a long search can hold fewer messages than the limit and have a next one all the same.
    """

    items: tuple[MessageItem, ...]
    next: int | None


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
