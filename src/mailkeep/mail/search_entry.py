"""A message's entry in the search index: all its words as lines of text, a field or a part of one on each.

    f anna example anna elsewhere test
    s your order 17
    h subject= subject=your subject=order subject=17

A line begins with the letter of its field; before and after each word is one space. So words are next to each other
in the message exactly when they are in the entry, and a phrase never reaches from one field into the next.
"""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from mailkeep.domain.mailbox import Mailbox
from mailkeep.domain.words import characters_of, shortened, words_of
from mailkeep.mail import headers as decoding
from mailkeep.mail.plain_text import text_of_html

log: structlog.stdlib.BoundLogger = structlog.get_logger()

FROM, TO, SUBJECT, BODY, FILENAME, TAG, HEADER = "f", "t", "s", "b", "n", "g", "h"

# What is past these is not found by a search, and is there all the same when the message is read.
MAX_WORDS: Final = 20_000
MAX_BODY: Final = 256 * 1024  # characters, of text and HTML each
MAX_FIELD: Final = 4 * 1024
MAX_HEADER_WORDS: Final = 32  # of one header: enough for what people write, not for signatures and traces
MAX_HEADERS: Final = 200
# A text part as short as this often only says that there is an HTML part.
SHORT_TEXT_WORDS: Final = 50

_HEADER_NAME: Final = re.compile(r"[!-9;<>-~]{1,80}")


@dataclass(frozen=True, slots=True)
class Searchable:
    """What of a message is looked into; text and HTML as parsed."""

    senders: Sequence[Mailbox]
    recipients: Sequence[Mailbox]
    subject: str
    headers: Sequence[tuple[str, str]]
    text: str | None
    html: str | None
    filenames: Sequence[str]


def entry_of(searchable: Searchable) -> str:
    """The lines that are the same for all who received it. Linear in the message, and within the limits above.

    Never raises: a message whose words cannot be read is stored all the same, and is found by other terms.
    """
    try:
        return _entry_of(searchable)
    except Exception:  # noqa: BLE001  hostile input met a fault of ours, or of the stdlib
        log.error("search.entry_failed", where=traceback.format_tb(sys.exc_info()[2])[-1])  # noqa: TRY400  its text may hold mail
        return ""


def _entry_of(searchable: Searchable) -> str:
    entry = _Entry()
    for letter, mailboxes in ((FROM, searchable.senders), (TO, searchable.recipients)):
        for mailbox in mailboxes:
            entry.add(letter, f"{mailbox.name[:MAX_FIELD]} {mailbox.address[:MAX_FIELD]}")
    entry.add(SUBJECT, searchable.subject[:MAX_FIELD])
    for filename in searchable.filenames:
        entry.add(FILENAME, filename[:MAX_FIELD])
    for name, value in searchable.headers[:MAX_HEADERS]:
        entry.add_header(name, value)
    found = entry.add(BODY, (searchable.text or "")[:MAX_BODY])
    if searchable.html and found <= SHORT_TEXT_WORDS:
        entry.add(BODY, text_of_html(searchable.html[:MAX_BODY]))
    return entry.text()


def with_envelope(entry: str, *, rcpt_to: str, tag: str | None) -> str:
    """The entry of one recipient's message."""
    own = _Entry()
    own.add(TO, rcpt_to)
    own.add(TAG, tag or "")
    return entry + own.text()


class _Entry:
    def __init__(self) -> None:
        self._lines: list[str] = []
        self._left = MAX_WORDS

    def text(self) -> str:
        return "".join(self._lines)

    def add(self, letter: str, text: str) -> int:
        """Returns how many words it has, counted up to the limit."""
        words = words_of(text)[: self._left]
        self._line(letter, words)
        if not text.isascii():
            self._line(letter, characters_of(text)[: self._left])
        return len(words)

    def add_header(self, name: str, value: str) -> None:
        if not _HEADER_NAME.fullmatch(name):
            return
        words = words_of(decoding.decode(value[:MAX_FIELD]))[:MAX_HEADER_WORDS]
        key = header_key(name)
        self._line(HEADER, [key, *(key + word for word in shortened(" ".join(words)).split())][: self._left])

    def _line(self, letter: str, words: Iterable[str]) -> None:
        line = " ".join(words)
        if line:
            self._left -= line.count(" ") + 1
            self._lines.append(f"{letter} {line if letter == HEADER else shortened(line)} \n")


def header_key(name: str) -> str:
    """What each word of a header of this name begins with; by itself it stands for the header."""
    return f"{name.lower()}="
