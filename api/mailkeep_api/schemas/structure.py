"""What a message is made of, and the way it took."""

from __future__ import annotations

from mailkeep.domain.hop import Hop, Route
from mailkeep.domain.message import MessageDetail
from mailkeep.domain.structure import AttachedMessage, MimePart, Report
from mailkeep.mail.defects import defect_words
from mailkeep.mail.filenames import visible_name
from mailkeep_api.schemas.messages import MailboxOut
from mailkeep_api.schemas.shapes import Instant, Out


class DefectOut(Out):
    """Something that is odd: a stable code, and what it means."""

    code: str
    text: str


def _defects(codes: tuple[str, ...]) -> tuple[DefectOut, ...]:
    return tuple(DefectOut(code=code, text=defect_words(code)) for code in codes)


class AttachedMessageOut(Out):
    """What an attached message says (RFC 2046 section 5.2.1); `text` is what its reader would see."""

    senders: tuple[MailboxOut, ...]
    to: tuple[MailboxOut, ...]
    cc: tuple[MailboxOut, ...]
    subject: str
    date: Instant | None
    message_id: str
    text: str

    @classmethod
    def of(cls, message: AttachedMessage) -> AttachedMessageOut:
        return cls(
            senders=tuple(map(MailboxOut.of, message.senders)),
            to=tuple(map(MailboxOut.of, message.to)),
            cc=tuple(map(MailboxOut.of, message.cc)),
            subject=message.subject,
            date=message.date,
            message_id=message.message_id,
            text=message.text,
        )


class ReportOut(Out):
    """A report of a delivery, a reading or an abuse (RFC 3464, RFC 8098, RFC 5965): blocks of fields.

    The first block is about the message, each further one about a recipient.
    """

    blocks: tuple[tuple[tuple[str, str], ...], ...]

    @classmethod
    def of(cls, report: Report) -> ReportOut:
        return cls(blocks=report.blocks)


class PartOut(Out):
    """A part of the MIME tree.

    `section` is its number as IMAP counts (RFC 9051 section 6.4.5), empty for the whole message. `size_bytes` is that
    of the decoded content, 0 for a multipart. `filename` is the name as it was sent, with what is invisible in it
    escaped. `attachment_id` leads to the attachment that is made of it.
    """

    section: str
    role: str
    media_type: str
    encoding: str
    charset: str
    size_bytes: int
    disposition: str
    filename: str
    content_id: str
    attachment_id: str | None
    defects: tuple[DefectOut, ...]
    message: AttachedMessageOut | None
    report: ReportOut | None
    parts: tuple[PartOut, ...]

    @classmethod
    def of(cls, part: MimePart, attachment_ids: dict[str, str]) -> PartOut:
        return cls(
            section=part.section,
            role=part.role.value,
            media_type=part.media_type,
            encoding=part.encoding,
            charset=part.charset,
            size_bytes=part.size_bytes,
            disposition=part.disposition,
            filename=visible_name(part.filename),
            content_id=part.content_id,
            attachment_id=attachment_ids.get(part.section),
            defects=_defects(part.defects),
            message=AttachedMessageOut.of(part.message) if part.message is not None else None,
            report=ReportOut.of(part.report) if part.report is not None else None,
            parts=tuple(cls.of(inner, attachment_ids) for inner in part.parts),
        )


class StructureOut(Out):
    """The MIME tree; null when the message could not be taken apart. `defects` are those of the whole message."""

    root: PartOut | None
    defects: tuple[DefectOut, ...]

    @classmethod
    def of(cls, detail: MessageDetail) -> StructureOut:
        ids = {attachment.section: attachment.id for attachment in detail.attachments}
        root = PartOut.of(detail.structure, ids) if detail.structure is not None else None
        return cls(root=root, defects=_defects(detail.defects))


class HopOut(Out):
    """A Received field (RFC 5321 section 4.4); what it does not say is empty.

    `name` is what the client called itself, `host` and `ip` are what the server saw of it, `protocol` is its `with` and
    `recipient` its `for`. `delay_s` is the time since the hop before, below 0 when the clocks of the two disagree.
    """

    name: str
    host: str
    ip: str
    by: str
    via: str
    protocol: str
    id: str
    recipient: str
    tls_version: str
    tls_cipher: str
    encrypted: bool
    note: str
    at: Instant | None
    delay_s: float | None
    clocks_disagree: bool

    @classmethod
    def of(cls, hop: Hop) -> HopOut:
        return cls(**{name: getattr(hop, name) for name in cls.model_fields})


class HeadersOut(Out):
    """Name and value of each header, in the order of the message, and the way it took by its Received fields.

    `hops` begins with the first one; whoever sent the message may have made them up, all but those of your own servers.
    `total_s` is the time between the first time named and the last.
    """

    headers: tuple[tuple[str, str], ...]
    hops: tuple[HopOut, ...]
    total_s: float | None

    @classmethod
    def of(cls, headers: tuple[tuple[str, str], ...], route: Route) -> HeadersOut:
        return cls(headers=headers, hops=tuple(map(HopOut.of, route.hops)), total_s=route.total_s)
