from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkeep.domain.clock import utc_now
from mailkeep_web.removed import removed_words
from mailkeep_web.words import age, linked, size, utc


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (9_949, "9.9 kB"), (9_960, "10 kB"), (25_000_000, "25 MB")],
)
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (timedelta(seconds=5), "now"),
        (timedelta(seconds=-5), "now"),
        (timedelta(minutes=4, seconds=3), "4 min"),
        (timedelta(hours=3, seconds=3), "3 h"),
        (timedelta(days=2, seconds=3), "2 d"),
    ],
)
def test_ages(ago: timedelta, text: str) -> None:
    assert age(utc_now() - ago) == text


def test_old_mail_shows_its_date() -> None:
    assert age(datetime(2020, 11, 4, 9, 30, tzinfo=UTC)) == "4 Nov"
    assert utc(datetime(2020, 11, 4, 9, 30, 5, tzinfo=UTC)) == "4 Nov 2020, 09:30:05 UTC"


def test_web_addresses_are_found_without_the_end_of_the_sentence() -> None:
    pieces = list(linked("See https://a.example/x?y=1. Or (http://b.example)."))
    assert [address for _, address in pieces if address] == ["https://a.example/x?y=1", "http://b.example"]


@pytest.mark.parametrize("text", ["javascript:alert(1)", "//evil.example", "data:text/html,x", "<a href=x>"])
def test_attack_056_nothing_else_becomes_a_link(text: str) -> None:
    assert not any(address for _, address in linked(text))


@given(st.text())
def test_the_pieces_are_the_text(text: str) -> None:
    assert "".join(piece for piece, _ in linked(text)) == text


def test_what_was_removed_is_said_in_words() -> None:
    removed = {
        "element:div": 3,
        "element:script": 2,
        "element:img": 1,
        "tracker": 1,
        "element:body": 1,
        "element:td": 4,
    }
    assert removed_words(removed) == ["2 scripts", "1 tracking pixel", "7 elements of layout"]
    assert removed_words({"element:html": 1}) == []
