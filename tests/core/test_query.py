"""The language of searches: what is read as what, and errors that point at the character."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkeep.domain.query import Bound, Field, Header, Is, Query, Received, Size, State, Term, Words
from mailkeep.domain.query_parser import MAX_QUERY, MAX_TERMS, MAX_WORDS, parse_query
from mailkeep.domain.words import words_of
from mailkeep.errors import QueryError

NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)


def read(text: str) -> tuple[Term, ...]:
    return parse_query(text, now=NOW).terms


READ: list[tuple[str, list[Term]]] = [
    ("", []),
    (" \t ", []),
    ("invoice", [Words(Field.ANY, "invoice")]),
    ("two  words", [Words(Field.ANY, "two"), Words(Field.ANY, "words")]),
    ('"two words"', [Words(Field.ANY, "two words")]),
    ("-spam", [Words(Field.ANY, "spam", negated=True)]),
    ('-"two words"', [Words(Field.ANY, "two words", negated=True)]),
    ("--a", [Words(Field.ANY, "-a", negated=True)]),
    ("a-b", [Words(Field.ANY, "a-b")]),
    ("user@host.test", [Words(Field.ANY, "user@host.test")]),
    ("12:30", [Words(Field.ANY, "12:30")]),
    ("https://shop.test/x?a=b", [Words(Field.ANY, "https://shop.test/x?a=b")]),
    ("from:anna", [Words(Field.FROM, "anna")]),
    ("FROM:Anna", [Words(Field.FROM, "Anna")]),
    ("to:b@c.test", [Words(Field.TO, "b@c.test")]),
    ('subject:"order 17"', [Words(Field.SUBJECT, "order 17")]),
    ("subject:re:hello", [Words(Field.SUBJECT, "re:hello")]),
    ('-subject:"order 17"', [Words(Field.SUBJECT, "order 17", negated=True)]),
    (
        "body:x filename:a.pdf tag:ci-42",
        [Words(Field.BODY, "x"), Words(Field.FILENAME, "a.pdf"), Words(Field.TAG, "ci-42")],
    ),
    ("header:X-Campaign=spring", [Header("x-campaign", "spring")]),
    ('header:Subject="a b"', [Header("subject", "a b")]),
    ("header:List-Id=", [Header("list-id", "")]),
    ("-header:List-Id", [Header("list-id", "", negated=True)]),
    ("header:a=b=c", [Header("a", "b=c")]),
    ("has:attachment is:unread", [Is(State.HAS_ATTACHMENT), Is(State.UNREAD)]),
    ("-is:read", [Is(State.READ, negated=True)]),
    ("after:2026-11-24", [Received(Bound.AFTER, datetime(2026, 11, 24, tzinfo=UTC))]),
    ("before:2026-11-24T10:00:00+01:00", [Received(Bound.BEFORE, datetime(2026, 11, 24, 9, tzinfo=UTC))]),
    ("before:2026-11-24t10:00z", [Received(Bound.BEFORE, datetime(2026, 11, 24, 10, tzinfo=UTC))]),
    ("after:7d", [Received(Bound.AFTER, NOW - timedelta(days=7))]),
    ("before:2h", [Received(Bound.BEFORE, NOW - timedelta(hours=2))]),
    ("larger:10k", [Size(Bound.LARGER, 10 * 1024)]),
    ("smaller:5M", [Size(Bound.SMALLER, 5 * 1024 * 1024)]),
    ("larger:0", [Size(Bound.LARGER, 0)]),
    (r'"a \"b\" \\ c\d"', [Words(Field.ANY, r'a "b" \ c\d')]),
    ("请问 café", [Words(Field.ANY, "请问"), Words(Field.ANY, "café")]),
    # What means something to a search engine or to SQL is data here.
    ("50% a_b foo* NEAR(a", [Words(Field.ANY, word) for word in ("50%", "a_b", "foo*", "NEAR(a")]),
    ("+a >b ~c (d) e'; f\"g", [Words(Field.ANY, word) for word in ("+a", ">b", "~c", "(d)", "e';", 'f"g')]),
    ("a AND OR NOT b", [Words(Field.ANY, word) for word in ("a", "AND", "OR", "NOT", "b")]),
]


@pytest.mark.parametrize(("text", "terms"), READ, ids=[text for text, _ in READ])
def test_what_is_read(text: str, terms: list[Term]) -> None:
    assert list(read(text)) == terms


REFUSED = [
    ("fro:anna", 0, 4, "from:"),
    ("a subjct:x", 2, 7, "subject:"),
    ("re:hello", 0, 3, "quotes"),
    ("-xyz:a", 1, 4, "header:"),
    ("from:", 0, 5, "subject:invoice"),
    ("from: anna", 0, 5, "right after"),
    ('say "hello', 4, 1, "not closed"),
    ('subject:"a', 8, 1, "not closed"),
    ('"a"b', 3, 1, "space"),
    ('from:"a" "b"c', 12, 1, "space"),
    ("a -", 2, 1, "no letter"),
    ("***", 0, 3, "no letter"),
    ('""', 0, 2, "no letter"),
    ("subject:!!", 8, 2, "no letter"),
    ("header:", 0, 7, "List-Id=news"),
    ("header:=x", 7, 2, "List-Id=news"),
    ('header:"a"=x', 7, 5, "List-Id=news"),
    ("header:a=!", 9, 1, "no letter"),
    ("header:a:b", 8, 2, "name"),
    ("has:pictures", 4, 8, "attachment"),
    ("is:starred", 3, 7, "unread"),
    ("after:yesterday", 6, 9, "2026-11-24"),
    ("after:2026-02-30", 6, 10, "2026-11-24"),
    ("after:20261124", 6, 8, "2026-11-24"),
    ("before:999999w", 7, 7, "7d"),
    ("before:0001-01-01T00:00:00+23:00", 7, 25, "2026-11-24"),
    ("after:\u0662\u0660\u0662\u0666-\u0661\u0661-\u0662\u0664", 6, 10, "2026-11-24"),
    ("larger:big", 7, 3, "10k"),
    ("larger:-1", 7, 2, "10k"),
    ("larger:9999999999999999999g", 7, 20, "10k"),
    ("x" * (MAX_QUERY + 1), MAX_QUERY, 1, "1,000 characters"),
    ("a " * (MAX_TERMS + 1), 2 * MAX_TERMS, 1, "50 terms"),
    ('"' + "a " * (MAX_WORDS + 1) + '"', 0, 2 * MAX_WORDS + 4, "100 words"),
]


@pytest.mark.parametrize(("text", "position", "length", "says"), REFUSED, ids=[text[:40] for text, *_ in REFUSED])
def test_an_error_points_at_the_character(text: str, position: int, length: int, says: str) -> None:
    with pytest.raises(QueryError) as caught:
        read(text)
    assert (caught.value.position, caught.value.length, caught.value.field) == (position, length, "q")
    assert says in str(caught.value)


PIECES = st.sampled_from([*'":-=\\ \t()*', "from:", "header:", "is:", "after:", "7d", "larger:", "a", "é", "好", "x-y"])


@given(st.text(max_size=200) | st.lists(PIECES, max_size=20).map("".join))
def test_any_text_is_read_or_refused_at_a_place_within_it(text: str) -> None:
    query = read_or_refused(text)
    if isinstance(query, QueryError):
        assert 0 <= query.position < len(text)
        assert 1 <= query.length <= len(text) - query.position
    else:
        assert parse_query(str(query), now=NOW) == query


def read_or_refused(text: str) -> Query | QueryError:
    try:
        return parse_query(text, now=NOW)
    except QueryError as error:
        return error


TEXTS = st.text(min_size=1, max_size=15).filter(words_of)
MOMENTS = st.timedeltas(min_value=timedelta(days=-700_000), max_value=timedelta(days=2_900_000)).map(NOW.__add__)
TERMS = st.one_of(
    st.builds(Words, st.sampled_from(Field), TEXTS, st.booleans()),
    st.builds(Header, st.from_regex(r"[a-z0-9-]{1,20}", fullmatch=True), st.just("") | TEXTS, st.booleans()),
    st.builds(Is, st.sampled_from(State), st.booleans()),
    st.builds(Received, st.sampled_from([Bound.AFTER, Bound.BEFORE]), MOMENTS, st.booleans()),
    st.builds(Size, st.sampled_from([Bound.LARGER, Bound.SMALLER]), st.integers(0, 2**63 - 1), st.booleans()),
)


@given(st.lists(TERMS, max_size=5))
def test_a_query_written_down_is_read_as_the_same(terms: list[Term]) -> None:
    query = Query(tuple(terms))
    assert parse_query(str(query), now=NOW) == query
