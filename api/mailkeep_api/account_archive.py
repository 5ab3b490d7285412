"""All that an account holds as the files of one archive, in the form in which the API shows it."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Final

from mailkeep.domain.audit import AuditQuery, AuditRecord
from mailkeep.domain.clock import rfc3339, utc_now
from mailkeep.domain.export import ExportPart, LeftOut
from mailkeep.domain.message import MessageDetail
from mailkeep.mail.filenames import unique_names, visible_name
from mailkeep.mail.zip_stream import ArchiveFile, zipped
from mailkeep.services.account_export import DELETED
from mailkeep.services.bundle import LEFT_OUT as LEFT_OUT_NAME
from mailkeep.storage.account_records import Kind, Record
from mailkeep_api.etags import json_body
from mailkeep_api.routing import Call
from mailkeep_api.schemas.accounts import AccountOut
from mailkeep_api.schemas.audit import AuditOut
from mailkeep_api.schemas.messages import MessageOut

_LISTS: Final = Kind.USERS, Kind.ADDRESSES, Kind.SESSIONS, Kind.TOKENS


def account_archive(call: Call, part: ExportPart) -> AsyncGenerator[bytes, None]:
    """The bytes of the archive. Raises NotFound when the account is deleted meanwhile, StorageUnavailable."""
    return zipped(_files(call, part), modified=utc_now())


async def _files(call: Call, part: ExportPart) -> AsyncGenerator[ArchiveFile, None]:
    export, left_out = call.core.export, LeftOut()
    account = AccountOut.of(await call.core.accounts.get(call.actor), await call.core.accounts.user(call.actor))
    yield ArchiveFile("account.json", _bytes(json_body(account)))
    for kind in _LISTS:
        yield ArchiveFile(f"{kind.value}.json", _array(export.records(call.actor, kind)))
    yield ArchiveFile("refusals.jsonl", _lines(export.records(call.actor, Kind.REFUSALS)))
    yield ArchiveFile("audit.jsonl", _audit_lines(call.core.audit.export(call.actor, AuditQuery())))
    yield ArchiveFile("mailbox.mbox", export.mbox(part, left_out))
    async with aclosing(export.messages(call.actor, part, left_out)) as messages:
        async for message in messages:
            async with aclosing(_files_of(call, message, left_out)) as files:
                async for file in files:
                    yield file
    if left_out.lines:
        yield ArchiveFile(LEFT_OUT_NAME, _bytes("".join(f"{line}\r\n" for line in left_out.lines).encode()))


async def _files_of(call: Call, message: MessageDetail, left_out: LeftOut) -> AsyncGenerator[ArchiveFile, None]:
    seq = message.summary.seq
    shown = MessageOut.of_detail(message, await call.core.inbox.safe_html(message))
    yield ArchiveFile(f"messages/{seq}.json", _bytes(json_body(shown)))
    names = unique_names(file.filename for file in message.attachments)
    for file, name in zip(message.attachments, names, strict=True):
        path = f"attachments/{seq}/{name}"
        if file.is_quarantined:
            left_out.lines.append(f"{path}: a scanner found {visible_name(file.malware)} in it")
        elif (chunks := await call.core.export.attachment(message.summary, file)) is None:
            left_out.lines.append(f"{path}: {DELETED}")
        else:
            yield ArchiveFile(path, chunks)


async def _array(records: AsyncGenerator[Record, None]) -> AsyncGenerator[bytes, None]:
    before = b"[\n"
    async with aclosing(records):
        async for record in records:
            yield before + _json(record)
            before = b",\n"
    yield b"[]\n" if before == b"[\n" else b"\n]\n"


async def _lines(records: AsyncGenerator[Record, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(records):
        async for record in records:
            yield _json(record) + b"\n"


async def _audit_lines(records: AsyncGenerator[AuditRecord, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(records):
        async for record in records:
            yield json_body(AuditOut.of(record)) + b"\n"


def _json(record: Record) -> bytes:
    return json.dumps(record, ensure_ascii=False, default=_instant).encode()


def _instant(value: object) -> str:
    if not isinstance(value, datetime):
        raise TypeError(f"{type(value).__name__} in a record")
    return rfc3339(value)


async def _bytes(content: bytes) -> AsyncGenerator[bytes, None]:
    yield content
