"""A golden: one JSON document of what must be seen in a message, written so that people can review and compare it."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, Final

from mailkeep.domain.clock import rfc3339
from mailkeep.domain.mailbox import Mailbox
from mailkeep.domain.structure import AttachedMessage, MimePart
from mailkeep.mail.parse import MessageParser
from mailkeep.mail.parsed import ParsedFile, ParsedMessage
from mailkeep.mail.sanitise import sanitise
from mailkeep.mail.spool import Spool

WIDTH: Final = 110


def read(source: bytes, directory: Path, *, step: int = 65_536) -> dict[str, Any]:
    """What is seen in a message that arrives in pieces of `step` bytes. `directory` takes its larger files."""
    parser = MessageParser(lambda: Spool(directory))
    try:
        for start in range(0, len(source), step):
            parser.feed(source[start : start + step])
        return _seen(parser.finish())
    finally:
        parser.discard()


def seen_in(source: bytes) -> dict[str, Any]:
    """The same, for whoever has no directory at hand."""
    with tempfile.TemporaryDirectory(prefix="mailkeep-samples-") as directory:
        return read(source, Path(directory))


def render(value: Any, indent: int = 0) -> str:
    """JSON with what fits on a line on one line. What does not print is escaped, so that nothing hides in a golden."""
    flat = "".join(char if char.isprintable() else _escaped(char) for char in json.dumps(value, ensure_ascii=False))
    if (indent and len(flat) + indent <= WIDTH) or not value or not isinstance(value, dict | list):
        return flat
    inner = " " * (indent + 2)
    if isinstance(value, dict):
        items = [f"{json.dumps(key)}: {render(item, indent + 2)}" for key, item in value.items()]
        opening, closing = "{}"
    else:
        items = [render(item, indent + 2) for item in value]
        opening, closing = "[]"
    return opening + ",".join(f"\n{inner}{item}" for item in items) + f"\n{' ' * indent}{closing}"


def _escaped(char: str) -> str:
    return json.dumps(char)[1:-1]


def _seen(parsed: ParsedMessage) -> dict[str, Any]:
    safe = sanitise(parsed.html) if parsed.html else None
    return {
        "senders": _mailboxes(parsed.senders),
        "to": _mailboxes(parsed.to),
        "cc": _mailboxes(parsed.cc),
        "reply_to": _mailboxes(parsed.reply_to),
        "subject": parsed.subject,
        "date": rfc3339(parsed.date) if parsed.date else None,
        "message_id": parsed.message_id,
        "snippet": parsed.snippet,
        "text": _lines(parsed.text),
        "html": _lines(safe.html) if safe else None,
        "links": [[link.text, link.href, list(link.warnings)] for link in safe.links] if safe else [],
        "removed": dict(safe.removed) if safe else {},
        "attachments": [_file(file) for file in parsed.files],
        "defects": list(parsed.defects),
        "structure": _part(parsed.structure) if parsed.structure else None,
    }


def _mailboxes(mailboxes: tuple[Mailbox, ...]) -> list[list[str]]:
    return [[mailbox.name, mailbox.address] for mailbox in mailboxes]


def _lines(text: str | None) -> list[str] | None:
    return None if text is None else text.split("\n")


def _file(file: ParsedFile) -> dict[str, Any]:
    return {
        "filename": file.filename,
        "declared": file.declared_type,
        "detected": file.detected_type,
        "size": file.size_bytes,
        "sha256": file.sha256,
        "disposition": file.disposition,
        "content_id": file.content_id,
        "section": file.section,
    }


def _part(part: MimePart) -> dict[str, Any]:
    """Without what is empty, so that a tree stays readable."""
    fields = {
        "section": part.section,
        "role": part.role.value,
        "type": part.media_type,
        "encoding": part.encoding,
        "size": part.size_bytes,
        "charset": part.charset,
        "disposition": part.disposition,
        "filename": part.filename,
        "content_id": part.content_id,
        "defects": list(part.defects),
        "message": _message(part.message) if part.message else None,
        "report": [[list(field) for field in block] for block in part.report.blocks] if part.report else None,
        "parts": [_part(child) for child in part.parts],
    }
    return {name: value for name, value in fields.items() if value not in ("", None, [])}


def _message(message: AttachedMessage) -> dict[str, Any]:
    return {
        "senders": _mailboxes(message.senders),
        "to": _mailboxes(message.to),
        "cc": _mailboxes(message.cc),
        "subject": message.subject,
        "date": rfc3339(message.date) if message.date else None,
        "message_id": message.message_id,
        "text": _lines(message.text),
    }
