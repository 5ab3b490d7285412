"""The tree of a message's parts as JSON, and back. What is empty is left out: most parts say little."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from mailkeep.domain.mailbox import Mailbox
from mailkeep.domain.structure import AttachedMessage, MimePart, Report, Role


def written(part: MimePart) -> dict[str, Any]:
    """What `read` takes."""
    values = {field.name: getattr(part, field.name) for field in fields(part)}
    values["parts"] = [written(inner) for inner in part.parts]
    values["message"] = None if part.message is None else _message_written(part.message)
    values["report"] = None if part.report is None else part.report.blocks
    return {name: value for name, value in values.items() if value or name in {"section", "size_bytes"}}


def read(values: Mapping[str, Any]) -> MimePart:
    message, report = values.get("message"), values.get("report")
    return MimePart(
        section=values["section"],
        role=Role(values["role"]),
        media_type=values["media_type"],
        encoding=values.get("encoding", ""),
        size_bytes=values["size_bytes"],
        charset=values.get("charset", ""),
        disposition=values.get("disposition", ""),
        filename=values.get("filename", ""),
        content_id=values.get("content_id", ""),
        defects=tuple(values.get("defects", ())),
        parts=tuple(map(read, values.get("parts", ()))),
        message=None if message is None else _message_read(message),
        report=None if report is None else _report_read(report),
    )


def _message_written(message: AttachedMessage) -> dict[str, Any]:
    return {
        "sender": [(mailbox.name, mailbox.address) for mailbox in message.sender],
        "to": [(mailbox.name, mailbox.address) for mailbox in message.to],
        "cc": [(mailbox.name, mailbox.address) for mailbox in message.cc],
        "subject": message.subject,
        "date": None if message.date is None else message.date.isoformat(),
        "message_id": message.message_id,
        "text": message.text,
    }


def _message_read(values: Mapping[str, Any]) -> AttachedMessage:
    return AttachedMessage(
        sender=_mailboxes(values["sender"]),
        to=_mailboxes(values["to"]),
        cc=_mailboxes(values["cc"]),
        subject=values["subject"],
        date=None if values["date"] is None else datetime.fromisoformat(values["date"]),
        message_id=values["message_id"],
        text=values["text"],
    )


def _report_read(blocks: list[list[list[str]]]) -> Report:
    return Report(tuple(tuple((name, value) for name, value in block) for block in blocks))


def _mailboxes(pairs: list[list[str]]) -> tuple[Mailbox, ...]:
    return tuple(Mailbox(name, address) for name, address in pairs)
