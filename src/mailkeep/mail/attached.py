"""Messages attached to a message, and the reports of machines: read from the files that they are kept as."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator
from email.parser import HeaderParser
from email.policy import compat32
from typing import Final

from mailkeep.domain.structure import Report
from mailkeep.mail import headers
from mailkeep.mail.bodies import Bodies
from mailkeep.mail.body import Body, CountedBody, FileBody, FilesBudget, TextBudget
from mailkeep.mail.limits import (
    MAX_ATTACHED_BYTES,
    MAX_REPORT_BLOCKS,
    MAX_REPORT_BYTES,
    MAX_REPORT_FIELDS,
    MAX_REPORT_VALUE,
    MAX_REPORTS_BYTES,
)
from mailkeep.mail.mime import MimeParser, Part
from mailkeep.mail.parts import MESSAGES, REPORTS
from mailkeep.mail.spool import Spool
from mailkeep.mail.transfer import Decoder

_BLANK_LINES: Final = re.compile(rb"(?:\r?\n){2,}")


class Attached:
    """Takes attached messages apart, one after the other and never one within the other: what is in them is put in
    line. So neither the stack nor the memory depends on how deep they lie.

    `parts` is how many parts there are already. `defects` are the codes of limits that were passed.
    """

    def __init__(self, budget: TextBudget, new_spool: Callable[[], Spool], *, parts: int) -> None:
        self._bodies = Bodies(budget, self._new_file)
        self._new_spool = new_spool
        self._parts = parts
        self._bytes_left = MAX_ATTACHED_BYTES
        self._report_bytes_left = MAX_REPORTS_BYTES
        self.defects: set[str] = set()

    def read(self, root: Part) -> None:
        """Fill in `attached` and `report` of the parts below, also those of attached messages."""
        line = deque([(root, 0)])
        while line:
            top, depth = line.popleft()
            for part, body, level in _files(top, depth):
                if part.declared_type() in REPORTS:
                    part.report = self._report(body)
                elif (inner := self._message(body, level)) is not None:
                    part.attached = inner
                    line.append((inner, level))
                if top is not root:
                    body.spool.discard()

    def _report(self, body: FileBody) -> Report | None:
        """What is read of a report; None when the reports before it were too much, or it says nothing."""
        taken = min(body.size_bytes, MAX_REPORT_BYTES)
        self._report_bytes_left -= taken
        if self._report_bytes_left < 0:
            self.defects.add("attached_message_skipped")
            return None
        return read_report(body.spool.head(taken))

    def _message(self, body: FileBody, depth: int) -> Part | None:
        """The tree of an attached message; None when it is too much."""
        self._bytes_left -= body.size_bytes
        if self._bytes_left < 0:
            self.defects.add("attached_message_skipped")
            return None
        parser = MimeParser(self._bodies.make, parts=self._parts, depth=depth)
        for chunk in body.spool.chunks():
            parser.feed_bytes(chunk)
        root = parser.finish()
        self._parts = parser.parts
        self.defects |= parser.defects
        return root

    def _new_file(self, part: Part, decoder: Decoder) -> Body:
        """Only what is to be read once more is kept: the file that it is in has all of it."""
        if part.declared_type() in MESSAGES | REPORTS:
            return FileBody(decoder, FilesBudget(MAX_ATTACHED_BYTES), self._new_spool)
        return CountedBody(decoder)


def read_report(data: bytes) -> Report | None:
    """The blocks of fields of a `message/delivery-status` (RFC 3464 section 2.1) and its like; None without any."""
    pieces = _BLANK_LINES.split(data.strip(), MAX_REPORT_BLOCKS)[:MAX_REPORT_BLOCKS]
    blocks = tuple(block for block in map(_report_block, pieces) if block)
    return Report(blocks) if blocks else None


def _report_block(data: bytes) -> tuple[tuple[str, str], ...]:
    # As latin-1, like the headers of a message: a report may be UTF-8 (RFC 6533).
    fields = HeaderParser(policy=compat32).parsestr(data.decode("latin-1")).raw_items()
    return tuple((name, headers.unfold(value)[:MAX_REPORT_VALUE]) for name, value in fields)[:MAX_REPORT_FIELDS]


def _files(part: Part, depth: int) -> Iterator[tuple[Part, FileBody, int]]:
    """The attached messages and reports below a part, each with its body and its depth."""
    for inner in part.parts():
        yield from _files(inner, depth + 1)
    if isinstance(part.body, FileBody) and not part.parts() and part.declared_type() in MESSAGES | REPORTS:
        yield part, part.body, depth + 1
