"""What a search asks for: terms that a message must all meet. Written as text, they are the language of `q`.

from: to: subject: body: filename: tag:   words of one field, as in subject:invoice or subject:"order 17"
header:Name=value   words of a header; header:Name alone: there is such a header
has:attachment  is:unread  is:read
after:2026-11-24  before:7d   when it was received (UTC): from then on, and earlier than that
larger:10k  smaller:5m        its size
word  "a phrase"    anywhere in sender, recipients, subject, body and file names
-term               whatever the term is, not that
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from mailkeep.domain.clock import rfc3339


class Field(StrEnum):
    """Where words are looked for; ANY is everything that a reader sees of a message."""

    ANY = ""
    FROM = "from"
    TO = "to"
    SUBJECT = "subject"
    BODY = "body"
    FILENAME = "filename"
    TAG = "tag"


class State(StrEnum):
    """What a message is or has, whatever its words."""

    HAS_ATTACHMENT = "has:attachment"
    UNREAD = "is:unread"
    READ = "is:read"


class Bound(StrEnum):
    AFTER = "after"
    BEFORE = "before"
    LARGER = "larger"
    SMALLER = "smaller"


@dataclass(frozen=True, slots=True)
class Words:
    """The words of `text`, one after another, in one field."""

    field: Field
    text: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Header:
    """A header of this name (in lower case), with the words of `text` one after another; any text when it is empty."""

    name: str
    text: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Is:
    state: State
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Received:
    """AFTER: at this moment or later. BEFORE: earlier."""

    bound: Bound
    moment: datetime
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Size:
    """LARGER: more bytes than that. SMALLER: fewer."""

    bound: Bound
    size_bytes: int
    negated: bool = False


Term = Words | Header | Is | Received | Size

# What would be read as an operator, `//` after it makes it a web address.
OPERATOR: Final = re.compile(r"([A-Za-z]+):(?!//)")


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a text: characters, from 0."""

    position: int
    length: int

    def of(self, text: str) -> str:
        return text[self.position : self.position + self.length]


@dataclass(frozen=True, slots=True)
class Query:
    """All of these. As `str` it is text that is read as the same query.

    `spans`: where each term stands in the text that was typed; empty for a query that was not typed.
    """

    terms: tuple[Term, ...]
    spans: tuple[Span, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        return " ".join(("-" if term.negated else "") + _rendered(term) for term in self.terms)


def _rendered(term: Term) -> str:
    match term:
        case Words(Field.ANY, text):
            is_plain = not text.startswith("-") and OPERATOR.match(text) is None
            return _value(text) if is_plain else _quoted(text)
        case Words(field, text):
            return f"{field}:{_value(text)}"
        case Header(name, ""):
            return f"header:{name}"
        case Header(name, text):
            return f"header:{name}={_value(text)}"
        case Is(state):
            return state
        case Received(bound, moment):
            return f"{bound}:{rfc3339(moment)}"
        case Size(bound, size_bytes):
            return f"{bound}:{size_bytes}"


def _value(text: str) -> str:
    return _quoted(text) if text.startswith('"') or any(map(str.isspace, text)) else text


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
