"""What a part of a message is, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from mailkeep.domain.structure import MimePart, Role
from mailkeep_web.words import size

_WORDS: Final[Mapping[Role, str]] = {
    Role.CONTAINER: "Container",
    Role.TEXT: "Text",
    Role.HTML: "HTML",
    Role.ATTACHMENT: "Attachment",
    Role.INLINE: "Inline image",
    Role.MESSAGE: "Attached message",
    Role.REPORT: "Report",
    Role.CALENDAR: "Calendar",
    Role.SIGNATURE: "Signature",
    Role.ENCRYPTED: "Encrypted",
    Role.KEY: "Key or certificate",
    Role.TNEF: "Outlook's container (TNEF)",
}


def role_words(role: Role) -> str:
    return _WORDS[role]


def part_facts(part: MimePart) -> Iterator[str]:
    """Size, encoding, charset and the like, as far as the part has them."""
    if part.role is not Role.CONTAINER:
        yield size(part.size_bytes)
    if part.encoding:
        yield part.encoding
    for name, value in (("charset", part.charset), ("disposition", part.disposition), ("id", part.content_id)):
        if value:
            yield f"{name} {value}"
