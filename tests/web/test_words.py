from datetime import UTC, datetime, timedelta

import pytest

from mailkeep.domain.clock import utc_now
from mailkeep.domain.mailbox import Mailbox
from mailkeep_web.removed import removed_words
from mailkeep_web.words import age, sender_label, size, utc


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (10_180, "9.9 kB"), (10_190, "10 kB"), (25 << 20, "25 MB")],
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


def test_what_was_removed_is_said_in_words() -> None:
    removed = {
        "element:div": 3,
        "element:script": 2,
        "element:img": 1,
        "tracker": 1,
        "element:body": 1,
        "element:td": 4,
    }
    assert removed_words(removed) == ["2 scripts", "1 probable tracking pixel", "7 elements of layout"]
    assert removed_words({"element:html": 1}) == []
    assert removed_words({"attribute:autofocus": 2, "attribute:ping": 1}) == [
        "1 report of clicks",
        "2 other attributes",
    ]


@pytest.mark.parametrize(
    ("name", "address", "label"),
    [
        ("Sue", "sue@good.test", "Sue"),
        ("", "sue@good.test", "sue@good.test"),
        ("ceo@good.test", "x@evil.test", "x@evil.test"),
        ("ceo\N{FULLWIDTH COMMERCIAL AT}good.test", "x@evil.test", "x@evil.test"),
        ("ceo@good.test", "", "ceo@good.test"),
        ("", "", "(no sender)"),
    ],
)
def test_attack_044_a_list_names_the_address_when_the_name_looks_like_one(name: str, address: str, label: str) -> None:
    assert sender_label(Mailbox(name, address)) == label
