"""The terms of a query that ask for words, as the entry of a message is compared with them: see `search_entry`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from mailkeep.domain.query import Field, Header, Query, Words
from mailkeep.domain.words import shortened, words_of
from mailkeep.mail import search_entry as fields

LETTERS: Final = {
    Field.ANY: frozenset({fields.FROM, fields.TO, fields.SUBJECT, fields.BODY, fields.FILENAME}),
    Field.FROM: frozenset({fields.FROM}),
    Field.TO: frozenset({fields.TO}),
    Field.SUBJECT: frozenset({fields.SUBJECT}),
    Field.BODY: frozenset({fields.BODY}),
    Field.FILENAME: frozenset({fields.FILENAME}),
    Field.TAG: frozenset({fields.TAG}),
}


@dataclass(frozen=True, slots=True)
class Clause:
    """These words one after another, in one line of one of these fields."""

    letters: frozenset[str]
    words: tuple[str, ...]

    @property
    def is_phrase(self) -> bool:
        return len(self.words) > 1

    def is_in(self, entry: str) -> bool:
        """Whether the entry has the phrase, in a line of a field that counts."""
        phrase = f" {' '.join(self.words)} "
        at = entry.find(phrase)
        while at >= 0:
            if entry[entry.rfind("\n", 0, at) + 1] in self.letters:
                return True
            at = entry.find(phrase, at + 1)
        return False


@dataclass(frozen=True, slots=True)
class Clauses:
    """All of `required` and none of `excluded`."""

    required: tuple[Clause, ...]
    excluded: tuple[Clause, ...]

    def __bool__(self) -> bool:
        return bool(self.required or self.excluded)

    def accept(self, entry: str) -> bool:
        return all(clause.is_in(entry) for clause in self.required) and not any(
            clause.is_in(entry) for clause in self.excluded
        )

    def words(self) -> Iterator[str]:
        for clause in self.required + self.excluded:
            yield from clause.words


def clauses_of(query: Query) -> Clauses:
    terms = [(term, _clause(term)) for term in query.terms if isinstance(term, Words | Header)]
    return Clauses(
        required=tuple(clause for term, clause in terms if not term.negated),
        excluded=tuple(clause for term, clause in terms if term.negated),
    )


def _clause(term: Words | Header) -> Clause:
    words = shortened(" ".join(words_of(term.text))).split()
    if isinstance(term, Words):
        return Clause(LETTERS[term.field], tuple(words))
    key = fields.header_key(term.name)
    return Clause(frozenset({fields.HEADER}), tuple(key + word for word in words) or (key,))
