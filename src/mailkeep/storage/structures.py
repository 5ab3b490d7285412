"""The tree of a message's parts as JSON, and back. What is empty is left out: most parts say little.

The JSON is a list of the parts in their order, each with the number of those right below it: MariaDB takes no JSON
that is nested deeper than 32 levels, and a mail may be.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from mailkeep.domain.mailbox import Mailbox
from mailkeep.domain.structure import AttachedMessage, MimePart, Report, Role


def written(root: MimePart) -> list[dict[str, Any]]:
    """What `read` takes."""
    return [_part_written(part) for part in root.walk()]


def read(parts: Iterable[Mapping[str, Any]]) -> MimePart:
    return _part_read(iter(parts))


def _part_written(part: MimePart) -> dict[str, Any]:
    values = {field.name: getattr(part, field.name) for field in fields(part)}
    values["parts"] = len(part.parts)
    values["message"] = None if part.message is None else _message_written(part.message)
    values["report"] = None if part.report is None else part.report.blocks
    return {name: value for name, value in values.items() if value or name in {"section", "size_bytes"}}


def _part_read(parts: Iterator[Mapping[str, Any]]) -> MimePart:
    """The next part, with all below it."""
    values = next(parts)
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
        parts=tuple([_part_read(parts) for _ in range(values.get("parts", 0))]),
        message=None if message is None else _message_read(message),
        report=None if report is None else _report_read(report),
    )


def _message_written(message: AttachedMessage) -> dict[str, Any]:
    return {
        "senders": [(mailbox.name, mailbox.address) for mailbox in message.senders],
        "to": [(mailbox.name, mailbox.address) for mailbox in message.to],
        "cc": [(mailbox.name, mailbox.address) for mailbox in message.cc],
        "subject": message.subject,
        "date": None if message.date is None else message.date.isoformat(),
        "message_id": message.message_id,
        "text": message.text,
    }


def _message_read(values: Mapping[str, Any]) -> AttachedMessage:
    return AttachedMessage(
        senders=_mailboxes(values["senders"]),
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
