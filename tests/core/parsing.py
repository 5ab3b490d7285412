"""A parser at hand."""

from __future__ import annotations

from pathlib import Path

from mailkeep.domain.structure import MimePart
from mailkeep.mail.parse import MessageParser
from mailkeep.mail.parsed import ParsedMessage
from mailkeep.mail.spool import Spool


def parse(data: bytes, directory: Path = Path(), *, step: int = 65_536) -> ParsedMessage:
    """The message, fed in pieces of `step` bytes; spools of more than 64 KB go into `directory`."""
    parser = MessageParser(lambda: Spool(directory))
    for start in range(0, len(data), step):
        parser.feed(data[start : start + step])
    return parser.finish()


def tree(message: ParsedMessage) -> MimePart:
    assert message.structure is not None
    return message.structure


def multipart(*parts: bytes, subtype: str = "mixed", boundary: str = "b", head: str = "") -> bytes:
    """A multipart with its header; each part begins with its own headers."""
    opening = f"{head}Content-Type: multipart/{subtype}; boundary={boundary}\r\n\r\n".encode()
    pieces = (f"--{boundary}\r\n".encode() + part + b"\r\n" for part in parts)
    return opening + b"".join(pieces) + f"--{boundary}--\r\n".encode()


def part(content_type: str, body: str | bytes = "", *fields: str) -> bytes:
    head = "".join(f"{field}\r\n" for field in (f"Content-Type: {content_type}", *fields))
    return head.encode() + b"\r\n" + (body.encode() if isinstance(body, str) else body)
