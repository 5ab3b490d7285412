"""All attachments of a message in one download."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from functools import partial
from typing import Final

from mailkeep.domain.message import Attachment, Download, MessageDetail
from mailkeep.mail.archive import Member, archive, archive_size
from mailkeep.mail.filenames import unique_names, visible_name
from mailkeep.storage.blobs.blob_store import BlobStore

# What stands in place of files that are left out.
LEFT_OUT: Final = "NOT-INCLUDED.txt"


def bundle(detail: MessageDetail, blobs: BlobStore) -> Download:
    """A zip file. What a scanner found malware in is left out, and a text in the archive says so."""
    files = [attachment for attachment in detail.attachments if not attachment.is_quarantined]
    left_out = [attachment for attachment in detail.attachments if attachment.is_quarantined]
    names = unique_names([attachment.filename for attachment in files], taken=[LEFT_OUT])
    members = [_member(attachment, name, blobs) for attachment, name in zip(files, names, strict=True)]
    note = _note(left_out)
    if note:
        members.append(Member(LEFT_OUT, len(note), partial(_once, note)))
    modified = detail.summary.received_at
    return Download(
        chunks=archive(members, modified=modified),
        size_bytes=archive_size(members),
        filename=f"{detail.summary.id}-attachments.zip",
        media_type="application/zip",
        digest=hashlib.sha256(repr((names, [file.sha256 for file in files], note, modified)).encode()).hexdigest(),
    )


def _member(attachment: Attachment, name: str, blobs: BlobStore) -> Member:
    return Member(name, attachment.size_bytes, partial(blobs.read, attachment.blob_key))


def _note(left_out: list[Attachment]) -> bytes:
    lines = [
        f"{visible_name(attachment.filename)} ({attachment.size_bytes} bytes): {visible_name(attachment.malware)}\r\n"
        for attachment in left_out
    ]
    begin = "A scanner found malware in these attachments, so they are not in this archive:\r\n\r\n"
    return "".join([begin, *lines]).encode() if lines else b""


async def _once(content: bytes) -> AsyncGenerator[bytes, None]:
    yield content
