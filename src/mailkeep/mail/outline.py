"""The tree of a message's parts, as it is kept and shown."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Final

from mailkeep.domain.structure import AttachedMessage, MimePart
from mailkeep.mail.attachments import media_type
from mailkeep.mail.display import Texts
from mailkeep.mail.fields import Fields
from mailkeep.mail.filenames import visible_name
from mailkeep.mail.limits import MAX_ATTACHED_FIELDS, MAX_FILENAME, MAX_FILENAMES
from mailkeep.mail.mime import Part
from mailkeep.mail.parts import HEADERS_ONLY, charset, content_id, defects_of, disposition, encoding, filename, role_of

_KEPT_FIELDS: Final = ("from", "to", "cc", "subject", "message-id")


class Outline:
    """Draws trees. `defects` are the codes of all parts that were drawn, and of limits that were passed."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._fields_left = MAX_ATTACHED_FIELDS
        self._filenames_left = MAX_FILENAMES
        self.defects: set[str] = set()

    def draw(self, root: Part) -> MimePart:
        """The tree of a whole message."""
        if root.is_multipart():
            return self._node(root, "", within="")
        return self._node(root, "1", within="1")

    def _node(self, part: Part, section: str, *, within: str) -> MimePart:
        """`within` is what the numbers of the part's own parts begin with."""
        attached = part.attached
        if attached is None:
            inner = self._inner(part, within)
        else:
            # Of headers that were sent without their text there is nothing to see below.
            inner = () if part.declared_type() in HEADERS_ONLY else (self._attached_root(attached, section),)
        return MimePart(
            section=section,
            role=role_of(part),
            media_type=media_type(part.declared_type()),
            encoding=encoding(part),
            size_bytes=0 if part.body is None else part.body.size_bytes,
            charset=charset(part),
            disposition=disposition(part),
            filename=self._filename(part),
            content_id=content_id(part),
            defects=self._defects(part),
            parts=inner,
            message=None if attached is None else self._message(attached),
            report=part.report,
        )

    def _inner(self, part: Part, within: str) -> tuple[MimePart, ...]:
        return tuple(
            self._node(child, section, within=section)
            for section, child in zip(_numbers(within), part.parts(), strict=False)
        )

    def _attached_root(self, root: Part, section: str) -> MimePart:
        """RFC 9051 section 6.4.5: a multipart in an attached message is its TEXT, anything else its part 1."""
        if root.is_multipart():
            return self._node(root, f"{section}.TEXT", within=section)
        return self._node(root, f"{section}.1", within=f"{section}.1")

    def _defects(self, part: Part) -> tuple[str, ...]:
        self._texts.decode(part)
        found = set(defects_of(part))
        self.defects |= found
        return tuple(sorted(found))

    def _filename(self, part: Part) -> str:
        name = filename(part)[:MAX_FILENAME]
        if len(name) > self._filenames_left:
            self.defects.add("parameters_truncated")
            return ""
        self._filenames_left -= len(name)
        return visible_name(name)

    def _message(self, root: Part) -> AttachedMessage | None:
        """What an attached message says; None when those before it said too much."""
        fields = Fields(root)
        self._fields_left -= fields.size_of(*_KEPT_FIELDS)
        if self._fields_left < 0:
            self.defects.add("attached_message_skipped")
            return None
        return AttachedMessage(
            senders=fields.senders(),
            to=fields.mailboxes("to"),
            cc=fields.mailboxes("cc"),
            subject=fields.subject(),
            date=fields.date(),
            message_id=fields.message_id(),
            text=self._texts.readable(root),
        )


def _numbers(within: str) -> Iterator[str]:
    return (f"{within}.{number}" if within else str(number) for number in count(1))
