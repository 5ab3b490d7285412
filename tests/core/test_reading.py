"""What a reader sees of a message: its text, its people, its dates."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.parsing import multipart, parse, part
from mailkeep.mail.dates import date
from mailkeep.mail.flowed import unflow
from mailkeep.mail.headers import decode, unfold

TEXT = part("text/plain", "plain <1>")
HTML = part("text/html", "<p>html</p>")
FOOTER = part("text/plain", "footer & <2>")


@pytest.mark.parametrize(
    ("data", "text", "html"),
    [
        pytest.param(multipart(TEXT, FOOTER), "plain <1>\nfooter & <2>", None, id="texts"),
        pytest.param(multipart(TEXT, HTML, subtype="alternative"), "plain <1>", "<p>html</p>", id="alternative"),
        pytest.param(
            multipart(multipart(TEXT, HTML, subtype="alternative", boundary="q"), FOOTER),
            "plain <1>\nfooter & <2>",
            "<p>html</p>\n<p>footer &amp; &lt;2&gt;</p>",
            id="a list's footer below an alternative",
        ),
        pytest.param(multipart(TEXT, HTML), "plain <1>", "<p>plain &lt;1&gt;</p>\n<p>html</p>", id="HTML below a text"),
        pytest.param(
            multipart(TEXT, multipart(HTML, FOOTER, boundary="q"), subtype="alternative"),
            "plain <1>\nfooter & <2>",
            "<p>html</p>\n<p>footer &amp; &lt;2&gt;</p>",
            id="a mixed alternative",
        ),
        pytest.param(multipart(HTML, HTML), None, "<p>html</p>\n<p>html</p>", id="HTML twice"),
        pytest.param(multipart(TEXT, part("text/enriched", "x"), subtype="alternative"), "plain <1>", None, id="other"),
    ],
)
def test_the_parts_a_reader_sees(data: bytes, text: str | None, html: str | None) -> None:
    parsed = parse(data)
    assert (parsed.text, parsed.html) == (text, html)


def test_text_that_grows_when_it_is_escaped_is_bounded() -> None:
    parsed = parse(multipart(part("text/plain", "&" * 1_900_000), HTML))
    assert parsed.html is not None
    assert len(parsed.html) < 2_000_000


@pytest.mark.parametrize(
    ("wrapped", "text"),
    [
        ("a long \nparagraph\nand \nanother\n", "a long paragraph\nand another\n"),
        ("> quoted \n> text\nmine\n", "> quoted text\nmine\n"),
        (">> deep \n> less\n", ">> deep \n> less\n"),
        (" stuffed\n >not a quote\n", "stuffed\n>not a quote\n"),
        ("text \n-- \nAnn \nEngineer\n", "text \n-- \nAnn Engineer\n"),
        ("no end \n", "no end \n"),
        ("", ""),
        ("\n\n", "\n\n"),
    ],
)
def test_flowed_text(wrapped: str, text: str) -> None:
    """RFC 3676."""
    assert unflow(wrapped, delsp=False) == text


def test_the_space_of_a_wrapped_line_is_dropped_where_delsp_says_so() -> None:
    """RFC 3676 section 4.1: for scripts without spaces between words."""
    assert parse(b"Content-Type: text/plain; format=flowed; delsp=yes\r\n\r\nab \r\nc\r\n").text == "abc\n"
    assert parse(b"Content-Type: text/plain; format=Flowed\r\n\r\nab \r\nc\r\n").text == "ab c\n"
    assert parse(b"Content-Type: text/plain\r\n\r\nab \r\nc\r\n").text == "ab \nc\n"


@settings(max_examples=200, deadline=None)
@given(lines=st.lists(st.sampled_from(["word", "two words", "", ">x", "> > y", "-- "]), max_size=20))
def test_text_that_was_not_wrapped_stays(lines: list[str]) -> None:
    text = "\n".join(line.rstrip() for line in lines)
    assert unflow("\n".join(_stuffed(line) for line in text.split("\n")), delsp=False) == text


def _stuffed(line: str) -> str:
    return f" {line}" if line.startswith((" ", ">", "From ")) else line


def test_attack_040_two_megabytes_of_flowed_lines() -> None:
    started = time.monotonic()
    unflow("> \n" * 700_000, delsp=False)
    unflow("a \n" * 700_000, delsp=True)
    unflow(">" * 2_000_000, delsp=False)
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Tue, 24 Nov 2026 08:00:00 +0100", "2026-11-24T07:00:00+00:00"),
        ("24 Nov 2026 08:00 GMT", "2026-11-24T08:00:00+00:00"),
        ("Tue, 24 Nov 26 08:00:00 EST", "2026-11-24T13:00:00+00:00"),
        ("Tue Nov 24 08:00:00 2026", "2026-11-24T08:00:00+00:00"),
        ("Tue, 24 Nov 2026 08:00:00 +0000 (UTC)", "2026-11-24T08:00:00+00:00"),
        ("Tue (a day), 24 (of) Nov 2026 08:00:00 (o'clock) +0000", "2026-11-24T08:00:00+00:00"),
        ("tue, 24 nov 2026 08:00:00 -0000", "2026-11-24T08:00:00+00:00"),
        ("Tue, 24 November 2026 08:00:00 +0000", "2026-11-24T08:00:00+00:00"),
        ("Tue, 24-Nov-2026 08:00:00 GMT", "2026-11-24T08:00:00+00:00"),
        ("Di, 24 Nov 2026 08:00:00 +0100", "2026-11-24T07:00:00+00:00"),
        ("Tue, 24 Nov 2026 08.00.05 +0000", "2026-11-24T08:00:05+00:00"),
        ("Tue, 24. Nov. 2026 08:00:00 +0000", "2026-11-24T08:00:00+00:00"),
        ("2026-11-24T08:00:00Z", "2026-11-24T08:00:00+00:00"),
        ("2026-11-24 08:00:00 +0100", "2026-11-24T07:00:00+00:00"),
        ("2026-11-24 08:00:00.123456 UTC", "2026-11-24T08:00:00.123456+00:00"),
        ("Tue, 24 Nov 2026 08:00:00", "2026-11-24T08:00:00+00:00"),
    ],
)
def test_dates_as_they_are_sent(text: str, expected: str) -> None:
    moment = date(text)
    assert moment is not None
    assert moment.isoformat() == expected


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("one\r\n two", "one two"),
        ("one\r\n\ttwo", "one two"),
        ("one\n  two", "one  two"),
        ("=?utf-8?q?a?=\r\n =?utf-8?q?b?=", "ab"),
        ("=?utf-8?B?4oI=?= =?UTF-8?B?rA==?=", "€"),
        ("=?utf-8*en?q?J=C3=B6rg?=", "Jörg"),
        ("=?utf-8?b?broken*?= and =?utf-8?q?J=C3=B6rg?=", "=?utf-8?b?broken*?= and Jörg"),
        ("=?x-unknown?q?caf=E9?=", "café"),
        ("a =?us-ascii?q?b_c?= d", "a b c d"),
    ],
)
def test_fields_as_people_read_them(raw: str, text: str) -> None:
    assert decode(unfold(raw)) == text


@pytest.mark.parametrize(
    ("header", "senders", "defects"),
    [
        ("From: Ann <ann@a.test>", [("Ann", "ann@a.test")], set()),
        ("From: ann@a.test", [("", "ann@a.test")], set()),
        ('From: "ann@a.test" <ann@a.test>', [("ann@a.test", "ann@a.test")], set()),
        ("From: Ann <ann@a.test>, bob@b.test", [("Ann", "ann@a.test"), ("", "bob@b.test")], {"from_ambiguous"}),
        ("From: a@a.test\r\nFrom: b@b.test", [("", "a@a.test"), ("", "b@b.test")], {"from_ambiguous"}),
        ("From: a@a.test\r\nFrom: a@a.test", [("", "a@a.test"), ("", "a@a.test")], {"from_ambiguous"}),
        ("From: team: a@a.test, b@b.test;", [("", "a@a.test"), ("", "b@b.test")], {"from_ambiguous"}),
        ("From:", [], {"from_missing"}),
        ("X: y", [], {"from_missing"}),
        ("From: nobody", [("", "nobody")], {"from_ambiguous"}),
    ],
)
def test_attack_045_who_wrote_it(header: str, senders: list[tuple[str, str]], defects: set[str]) -> None:
    parsed = parse(f"{header}\r\n\r\n".encode())
    assert [(sender.name, sender.address) for sender in parsed.senders] == senders
    assert {code for code in parsed.defects if code.startswith("from_")} == defects


def test_attack_045_two_addresses_in_odd_places_are_ambiguous() -> None:
    parsed = parse(b'From: "S" <valid@x.test>:<attacker@y.test>\r\n\r\n')
    assert "from_ambiguous" in parsed.defects
    shown = " ".join(f"{sender.name} {sender.address}" for sender in parsed.senders)
    assert "attacker@y.test" in shown


@pytest.mark.parametrize(
    ("header", "address"),
    [
        ('"a@good.test" <x@evil.test>', "x@evil.test"),
        ("a@good.test <x@evil.test>", "x@evil.test"),
        ("=?utf-8?q?a=40good=2Etest?= <x@evil.test>", "x@evil.test"),
        ("a@good.test<x@evil.test>", "x@evil.test"),
    ],
)
def test_attack_044_a_name_that_looks_like_an_address_is_marked(header: str, address: str) -> None:
    parsed = parse(f"From: {header}\r\n\r\n".encode())
    assert address in [sender.address for sender in parsed.senders]
    assert {"from_name_is_address", "from_ambiguous"} & set(parsed.defects)


def test_a_second_to_field_is_not_hidden() -> None:
    parsed = parse(b"To: a@a.test\r\nTo: b@b.test\r\n\r\n")
    assert [mailbox.address for mailbox in parsed.to] == ["a@a.test", "b@b.test"]


def test_html_may_name_its_own_charset() -> None:
    page = '<meta http-equiv=Content-Type content="text/html; charset=koi8-r"><p>Привет'.encode("koi8-r")
    parsed = parse(b"Content-Type: text/html\r\n\r\n" + page)
    assert parsed.html is not None
    assert parsed.html.endswith("Привет")
