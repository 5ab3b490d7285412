"""Reading the language of `q`: see `domain/query.py` for what it says."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from mailkeep.domain.query import OPERATOR, Bound, Field, Header, Is, Query, Received, Size, Span, State, Term, Words
from mailkeep.domain.words import words_of
from mailkeep.errors import QueryError

MAX_QUERY: Final = 1_000
MAX_TERMS: Final = 50
MAX_WORDS: Final = 100
MAX_HEADER_NAME: Final = 80
MAX_SIZE: Final = 2**63 - 1  # what the database's integers hold

_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.?)*)"', re.DOTALL)
_ESCAPED: Final = re.compile(r'\\(["\\])')
_BARE: Final = re.compile(r"\S*")
_SPACE: Final = re.compile(r"\s*")
# RFC 5322 section 3.6.8, but for the two characters that mean something here.
_HEADER_NAME: Final = re.compile(r"[!#-9;<>-~]+")
_DATE: Final = re.compile(
    r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d))?", re.ASCII | re.IGNORECASE
)
_AGO: Final = re.compile(r"(\d{1,6})([mhdw])", re.ASCII | re.IGNORECASE)
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_BYTES: Final = re.compile(r"(\d{1,19})([kmg]?)", re.ASCII | re.IGNORECASE)
_FACTORS: Final = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


@dataclass(frozen=True, slots=True)
class _Value:
    """What stands after an operator, and where. `at` and `end` are characters of the query."""

    text: str
    at: int
    end: int

    def error(self, message: str) -> QueryError:
        return QueryError(message, position=self.at, length=max(self.end - self.at, 1))


def parse_query(text: str, *, now: datetime) -> Query:
    """Raises QueryError, which says where. `now` is what `7d` counts from."""
    if len(text) > MAX_QUERY:
        raise QueryError(f"A search has at most {MAX_QUERY:,} characters.", position=MAX_QUERY, length=1)
    found = _Parser(text, now).terms()
    return Query(tuple(term for term, _ in found), tuple(span for _, span in found))


class _Parser:
    def __init__(self, text: str, now: datetime) -> None:
        self._text = text
        self._now = now
        self._at = 0
        self._words = 0

    def terms(self) -> list[tuple[Term, Span]]:
        """Each with its place in the text."""
        found: list[tuple[Term, Span]] = []
        while self._skip_space() < len(self._text):
            start = self._at
            found.append((self._term(), Span(start, self._at - start)))
            if len(found) > MAX_TERMS:
                raise self._error(f"A search has at most {MAX_TERMS} terms.", start)
        return found

    def _term(self) -> Term:
        negated = self._text.startswith("-", self._at) and self._at + 1 < len(self._text)
        self._at += negated
        operator = OPERATOR.match(self._text, self._at)
        if operator is None:
            return Words(Field.ANY, self._with_words(self._value()).text, negated)
        read = _OPERATORS.get(operator[1].lower())
        if read is None:
            raise self._unknown(operator)
        self._at = operator.end()
        return replace(read(self, operator[1].lower()), negated=negated)

    def words_of_field(self, name: str) -> Term:
        return Words(Field(name), self._with_words(self._needed(name, "subject:invoice")).text)

    def header(self, name: str) -> Term:
        start = self._at
        found = _HEADER_NAME.match(self._text, start)
        if found is None or len(found[0]) > MAX_HEADER_NAME:
            end = _end(_BARE, self._text, start)
            at = start if end > start else start - len("header:")
            raise self._error("header: takes a name and a value: write header:List-Id=news.", at, end)
        self._at = found.end()
        if not self._text.startswith("=", self._at):
            self._require_end(start)
            return Header(found[0].lower(), "")
        self._at += 1
        value = self._value()
        return Header(found[0].lower(), self._with_words(value).text if value.text else "")

    def has(self, name: str) -> Term:
        value = self._needed(name, "has:attachment")
        if value.text.lower() not in {"attachment", "attachments"}:
            raise value.error("has: is followed by attachment.")
        return Is(State.HAS_ATTACHMENT)

    def state(self, name: str) -> Term:
        value = self._needed(name, "is:unread")
        if value.text.lower() not in {"unread", "read"}:
            raise value.error("is: is followed by unread or read.")
        return Is(State(f"is:{value.text.lower()}"))

    def received(self, name: str) -> Term:
        value = self._needed(name, f"{name}:2026-11-24")
        moment = _moment(value.text, self._now)
        if moment is None:
            raise value.error("No date: write 2026-11-24, 2026-11-24T09:30:00Z, or how long ago, as 7d or 2h.")
        return Received(Bound(name), moment)

    def size(self, name: str) -> Term:
        value = self._needed(name, f"{name}:10k")
        found = _BYTES.fullmatch(value.text)
        size_bytes = int(found[1]) * _FACTORS[found[2].lower()] if found else -1
        if not 0 <= size_bytes <= MAX_SIZE:
            raise value.error("No size: write a number of bytes, or 10k or 5m.")
        return Size(Bound(name), size_bytes)

    def _needed(self, name: str, example: str) -> _Value:
        value = self._value()
        if not value.text:
            start = value.at - len(name) - 1
            raise self._error(f"{name}: needs a value right after it, as in {example}.", start, value.at)
        return value

    def _value(self) -> _Value:
        """A quoted text, or all up to the next space; maybe nothing."""
        start = self._at
        if not self._text.startswith('"', start):
            self._at = _end(_BARE, self._text, start)
            return _Value(self._text[start : self._at], start, self._at)
        quoted = _QUOTED.match(self._text, start)
        if quoted is None:
            raise self._error('This quote is not closed: write another " where the phrase ends.', start)
        self._at = quoted.end()
        self._require_end(start)
        return _Value(_ESCAPED.sub(r"\1", quoted[1]), start, self._at)

    def _require_end(self, start: int) -> None:
        rest = _end(_BARE, self._text, self._at)
        if rest == self._at:
            return
        if self._text.startswith('"', start):
            raise self._error(
                'A space is missing after the quote; within a phrase, write \\" for a quote.', self._at, rest
            )
        raise self._error("A header's name is letters, digits and hyphens, then = and a value.", self._at, rest)

    def _with_words(self, value: _Value) -> _Value:
        count = len(words_of(value.text))
        if not count:
            raise value.error("Nothing to look for: there is no letter and no digit in this.")
        self._words += count
        if self._words > MAX_WORDS:
            raise value.error(f"A search has at most {MAX_WORDS} words.")
        return value

    def _unknown(self, operator: re.Match[str]) -> QueryError:
        near = difflib.get_close_matches(operator[1].lower(), _OPERATORS, n=1, cutoff=0.5)
        meant = f'Did you mean "{near[0]}:"?' if near else f"There are {', '.join(f'{name}:' for name in _OPERATORS)}."
        message = f"There is no such operator. {meant} To look for it as text, put it in quotes."
        return self._error(message, operator.start(), operator.end())

    def _skip_space(self) -> int:
        self._at = _end(_SPACE, self._text, self._at)
        return self._at

    def _error(self, message: str, start: int, end: int | None = None) -> QueryError:
        return QueryError(message, position=start, length=max((end or start + 1) - start, 1))


_OPERATORS: Final[dict[str, Callable[[_Parser, str], Term]]] = {
    **{field.value: _Parser.words_of_field for field in Field if field is not Field.ANY},
    "header": _Parser.header,
    "has": _Parser.has,
    "is": _Parser.state,
    "after": _Parser.received,
    "before": _Parser.received,
    "larger": _Parser.size,
    "smaller": _Parser.size,
}


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    found = pattern.match(text, start)
    return found.end() if found else start


def _moment(text: str, now: datetime) -> datetime | None:
    """None for what is no date, or none that a calendar has."""
    try:
        if ago := _AGO.fullmatch(text):
            return now.astimezone(UTC) - timedelta(**{_UNITS[ago[2].lower()]: int(ago[1])})
        if not _DATE.fullmatch(text):
            return None
        moment = datetime.fromisoformat(text.upper())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
