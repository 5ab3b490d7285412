"""contents and attachments: what one transaction of mail carried, whoever received it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.domain.mailbox import Mailbox
from mailkeep.domain.message import Attachment
from mailkeep.domain.structure import MimePart
from mailkeep.errors import NotFound
from mailkeep.mail.attachments import OCTET_STREAM
from mailkeep.mail.filenames import safe_name
from mailkeep.storage import structures
from mailkeep.storage.schema import attachments, contents, messages

# The defect of a message whose words the database would not take.
NOT_STORABLE: Final = "not_storable"
# A message may have a thousand files; to write so many rows down keeps the event loop for a tenth of a second.
_ROWS_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class Content:
    """One message as parsed. `source_key` names its bytes as received, compressed, in the blob store."""

    id: str
    source_key: str
    source_sha256: str
    size_bytes: int
    message_id: str
    date: datetime | None
    headers: tuple[tuple[str, str], ...]
    senders: tuple[Mailbox, ...]
    to: tuple[Mailbox, ...]
    cc: tuple[Mailbox, ...]
    reply_to: tuple[Mailbox, ...]
    text: str | None
    html: str | None
    defects: tuple[str, ...]
    structure: MimePart | None
    attachments: tuple[Attachment, ...]
    malware: str = ""


def without_words(content: Content) -> Content:
    """What can be stored of a content whatever its sender wrote: its bytes and its files, under plain names."""
    return replace(
        content,
        message_id="",
        date=None,
        headers=(),
        senders=(),
        to=(),
        cc=(),
        reply_to=(),
        text=None,
        html=None,
        defects=tuple(sorted({*content.defects, NOT_STORABLE})),
        structure=None,
        attachments=tuple(_without_words(attachment) for attachment in content.attachments),
    )


async def add_all(connection: AsyncConnection, batch: Sequence[Content]) -> None:
    await connection.execute(insert(contents), [_content_values(content) for content in batch])
    files = [_attachment_values(content, at) for content in batch for at in range(len(content.attachments))]
    for start in range(0, len(files), _ROWS_AT_ONCE):
        await connection.execute(insert(attachments), files[start : start + _ROWS_AT_ONCE])


async def get(connection: AsyncConnection, content_id: str) -> Content:
    """The content behind a message that the caller has shown to be its own. Raises NotFound: it was just deleted."""
    row = (await connection.execute(select(contents).where(contents.c.id == content_id))).one_or_none()
    if row is None:
        raise NotFound("the message was deleted")
    return Content(
        id=row.id,
        source_key=row.source_key,
        source_sha256=row.source_sha256,
        size_bytes=row.size_bytes,
        message_id=row.message_id,
        date=row.date,
        headers=tuple((name, value) for name, value in row.headers),
        senders=_mailboxes(row.recipients.get("from", ())),
        to=_mailboxes(row.recipients["to"]),
        cc=_mailboxes(row.recipients["cc"]),
        reply_to=_mailboxes(row.recipients["reply_to"]),
        text=row.text,
        html=row.html,
        defects=tuple(row.defects),
        structure=None if row.structure is None else structures.read(row.structure),
        malware=row.malware,
        attachments=await _attachments(connection, content_id),
    )


@dataclass(frozen=True, slots=True)
class Source:
    """Where the bytes as received are, their number and digest before compression, and what a scanner found in them."""

    blob_key: str
    size_bytes: int
    sha256: str
    malware: str


_SOURCE: Final = contents.c.source_key, contents.c.size_bytes, contents.c.source_sha256, contents.c.malware


async def source_of(connection: AsyncConnection, content_id: str) -> Source:
    """Raises NotFound, as `get` does."""
    query = select(*_SOURCE).where(contents.c.id == content_id)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise NotFound("the message was deleted")
    return Source(*row)


@dataclass(frozen=True, slots=True)
class ReceivedSource:
    """A message's source, with what its envelope said."""

    seq: int
    message_id: str
    mail_from: str
    received_at: datetime
    source: Source


async def sources_after(
    connection: AsyncConnection, account_id: str, after: int, *, last: int, limit: int
) -> list[ReceivedSource]:
    """Of an account's messages newer than the seq `after` and up to `last`, in their order."""
    query = (
        select(messages.c.seq, messages.c.id, messages.c.mail_from, messages.c.received_at, *_SOURCE)
        .join(contents, contents.c.id == messages.c.content_id)
        .where(messages.c.account_id == account_id, messages.c.seq > after, messages.c.seq <= last)
        .order_by(messages.c.seq)
        .limit(limit)
    )
    return [
        ReceivedSource(seq, message_id, mail_from, received_at, Source(*source))
        for seq, message_id, mail_from, received_at, *source in await connection.execute(query)
    ]


async def remove_unused(connection: AsyncConnection, content_ids: Collection[str]) -> list[str]:
    """Delete those contents to which no message refers any more; returns the keys of their blobs.

    They are locked in the order of their ids, whoever removes what: two customers can have received the same mail.
    Of two who remove its last messages at once, the second one finds it unused.
    """
    wanted = contents.c.id.in_(content_ids)
    lock = select(contents.c.id, contents.c.source_key).where(wanted).order_by(contents.c.id).with_for_update()
    sources = {row.id: row.source_key for row in await connection.execute(lock)}
    in_use = select(messages.c.content_id).where(messages.c.content_id.in_(sources)).distinct()
    unused = sources.keys() - set((await connection.execute(in_use)).scalars())
    if not unused:
        return []
    keys = select(attachments.c.blob_key).where(attachments.c.content_id.in_(unused))
    blob_keys = [*(sources[content_id] for content_id in sorted(unused)), *(await connection.execute(keys)).scalars()]
    await connection.execute(delete(attachments).where(attachments.c.content_id.in_(unused)))
    await connection.execute(delete(contents).where(contents.c.id.in_(unused)))
    return blob_keys


async def _attachments(connection: AsyncConnection, content_id: str) -> tuple[Attachment, ...]:
    query = select(attachments).where(attachments.c.content_id == content_id).order_by(attachments.c.position)
    return tuple(
        Attachment(
            id=row.id,
            # Today's rule for yesterday's mail.
            filename=safe_name(row.filename),
            declared_type=row.declared_type,
            detected_type=row.detected_type,
            size_bytes=row.size_bytes,
            sha256=row.sha256,
            disposition=row.disposition,
            content_id=row.mime_content_id,
            section=row.section,
            blob_key=row.blob_key,
            malware=row.malware,
        )
        for row in await connection.execute(query)
    )


def _content_values(content: Content) -> dict[str, Any]:
    return {
        "id": content.id,
        "source_key": content.source_key,
        "source_sha256": content.source_sha256,
        "size_bytes": content.size_bytes,
        "message_id": content.message_id,
        "date": content.date,
        "headers": content.headers,
        "recipients": {
            "from": [(mailbox.name, mailbox.address) for mailbox in content.senders],
            "to": [(mailbox.name, mailbox.address) for mailbox in content.to],
            "cc": [(mailbox.name, mailbox.address) for mailbox in content.cc],
            "reply_to": [(mailbox.name, mailbox.address) for mailbox in content.reply_to],
        },
        "text": content.text,
        "html": content.html,
        "defects": content.defects,
        "structure": None if content.structure is None else structures.written(content.structure),
        "malware": content.malware,
    }


def _attachment_values(content: Content, position: int) -> dict[str, Any]:
    attachment = content.attachments[position]
    return {
        "id": attachment.id,
        "content_id": content.id,
        "position": position,
        "filename": attachment.filename,
        "declared_type": attachment.declared_type,
        "detected_type": attachment.detected_type,
        "size_bytes": attachment.size_bytes,
        "sha256": attachment.sha256,
        "disposition": attachment.disposition,
        "mime_content_id": attachment.content_id,
        "blob_key": attachment.blob_key,
        "section": attachment.section,
        "malware": attachment.malware,
    }


def _without_words(attachment: Attachment) -> Attachment:
    return replace(attachment, filename="attachment", declared_type=OCTET_STREAM, disposition="", content_id="")


def _mailboxes(pairs: Sequence[Sequence[str]]) -> tuple[Mailbox, ...]:
    return tuple(Mailbox(name, address) for name, address in pairs)
