"""The links of a message as data, and what is odd about them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkeep.domain.message import LinkWarning
from mailkeep.mail.links import MAX_LINKS, MAX_TEXT, link, links_of_text
from mailkeep.mail.sanitise import sanitise
from mailkeep.mail.urls import is_web_or_mail

OTHER_HOST, OTHER_MAILBOX = LinkWarning.OTHER_HOST, LinkWarning.OTHER_MAILBOX
USER_INFO, LOOK_ALIKE, INTERNATIONAL = LinkWarning.USER_INFO, LinkWarning.LOOK_ALIKE, LinkWarning.INTERNATIONAL


@pytest.mark.parametrize(
    ("text", "href"),
    [
        ("Click here", "https://shop.test/"),
        ("shop.test", "https://www.shop.test/offers"),
        ("www.shop.test/a", "https://shop.test/a?b=c"),
        ("https://shop.test", "http://SHOP.test.:8080/"),
        ("https://shop.test", "https://click.shop.test/?to=x"),
        ("report.pdf", "https://files.test/x"),
        ("archive.test", "https://files.test/archive.test"),
        ("Node.js", "https://files.test/"),
        ("Version 1.25", "https://files.test/"),
        ("1.25", "https://files.test/"),
        ("you@shop.test", "mailto:You@shop.test?subject=x"),
        ("http://①②.test", "http://12.test/"),
        ("", "https://shop.test/"),
    ],
)
def test_text_that_agrees_with_the_target(text: str, href: str) -> None:
    assert link(text, href).warnings == ()


@pytest.mark.parametrize(
    ("text", "href", "host", "warnings"),
    [
        ("https://bank.test", "https://evil.test/", "evil.test", (OTHER_HOST,)),
        ("bank.test", "https://bank.test.evil.test/", "bank.test.evil.test", (OTHER_HOST,)),
        ("bank.test/login", "https://mybank.test/login", "mybank.test", (OTHER_HOST,)),
        ("Go to https://bank.test now", "https://evil.test/", "evil.test", (OTHER_HOST,)),
        ("WWW.BANK.TEST", "https://evil.test/www.bank.test", "evil.test", (OTHER_HOST,)),
        ("https://bank.test@shop.test", "https://bank.test/", "bank.test", (OTHER_HOST,)),
        ("you@bank.test", "https://evil.test/", "evil.test", (OTHER_HOST,)),
        ("you@bank.test", "mailto:you@evil.test", "evil.test", (OTHER_HOST,)),
        ("you@bank.test", "mailto:me@bank.test", "bank.test", (OTHER_MAILBOX,)),
        ("b\u0430nk.test", "https://bank.test/", "bank.test", (OTHER_HOST,)),
        ("Go", "https://bank.test@evil.test/", "evil.test", (USER_INFO,)),
        ("Go", "https://a@bank.test@evil.test", "evil.test", (USER_INFO,)),
        ("bank.test", "https://bank.test:443@evil.test/", "evil.test", (OTHER_HOST, USER_INFO)),
        ("Go", "https://evil.test\\@bank.test/", "evil.test", ()),
        ("Go", "https://evil.test#@bank.test/", "evil.test", ()),
        ("Go", "https://b\u0430nk.test/", "xn--bnk-6cd.test", (LOOK_ALIKE,)),
        ("Go", "https://xn--80ak6aa92e.test/", "xn--80ak6aa92e.test", (LOOK_ALIKE,)),
        ("Go", "https://ban\u0131.test/", "xn--ban-lua.test", (LOOK_ALIKE,)),
        ("Go", "https://m\xfcnchen.test/", "xn--mnchen-3ya.test", (INTERNATIONAL,)),
        ("m\xfcnchen.test", "https://xn--mnchen-3ya.test/", "xn--mnchen-3ya.test", (INTERNATIONAL,)),
        ("Go", "https://\u65e5\u672c.test/", "xn--wgv71a.test", (INTERNATIONAL,)),
        ("Go", "https://evil\u3002test/", "evil.test", ()),
        ("Go", "https://%65vil.test/", "evil.test", ()),
        ("Go", "ht\ntps://evil.test\t/", "evil.test", ()),
        ("Go", "mailto:", "", ()),
    ],
)
def test_where_a_link_leads(text: str, href: str, host: str, warnings: tuple[LinkWarning, ...]) -> None:
    found = link(text, href)
    assert (found.host, found.warnings) == (host, warnings)
    assert found.differs == bool({OTHER_HOST, OTHER_MAILBOX} & set(warnings))


def test_links_are_those_that_can_be_clicked() -> None:
    markup = (
        '<p>See <a href="https://evil.test/?a=1&amp;b=2">b<strong>an</strong>k.<br>test</a>, '
        '<a href="javascript:alert(1)">no</a> <a href="/logout">no</a> <a name="x">no</a> '
        "<a href='mailto:a@b.test'>a\u202e\u200b &lt;b&gt;\n  c</a><a href='https://pic.test'><img src=x></a>"
    )
    links = sanitise(markup).links
    assert [(each.text, each.href) for each in links] == [
        ("bank. test", "https://evil.test/?a=1&b=2"),
        ("a <b> c", "mailto:a@b.test"),
        ("", "https://pic.test"),
    ]


def test_there_are_only_so_many_and_so_long() -> None:
    links = sanitise(f'<a href="https://a.test/">{"x" * 10_000}</a>' * 600).links
    assert len(links) < MAX_LINKS
    assert {len(each.text) for each in links} == {MAX_TEXT}
    assert len(sanitise('<a href="https://a.test/">x</a>' * 2_000).links) == MAX_LINKS


@given(st.text(), st.sampled_from(["https://", "http://", "mailto:", "https:", " https://", ""]), st.text())
def test_any_url_is_taken_apart(text: str, scheme: str, rest: str) -> None:
    if is_web_or_mail(scheme + rest):
        assert link(text, scheme + rest).host.isascii()


@pytest.mark.parametrize("text", ["a." * 5_000, "a@" * 5_000, "www." * 5_000, "https://" * 2_000, "a-" * 5_000 + "."])
def test_a_text_made_to_be_slow_is_not(text: str) -> None:
    started = time.perf_counter()
    link(text[:MAX_TEXT], f"https://{text}")
    list(links_of_text(text * 20))
    assert time.perf_counter() - started < 2


def test_web_addresses_are_found_without_the_end_of_the_sentence() -> None:
    pieces = list(links_of_text("See https://a.example/x?y=1. Or (http://b.example)."))
    assert [address for _, address in pieces if address] == ["https://a.example/x?y=1", "http://b.example"]


@pytest.mark.parametrize(
    "text",
    [
        "javascript:alert(1)",
        "java\tscript:alert(1)",
        "//evil.example",
        "data:text/html,x",
        "<a href=x>",
        "https:evil.example",
        "https:/evil.example",
        "https://",
        "https:///evil.example",
        "https://\\evil.example",
        "https://?x",
    ],
)
def test_attack_056_nothing_else_becomes_a_link(text: str) -> None:
    assert not any(address for _, address in links_of_text(text))


@given(st.text() | st.lists(st.sampled_from(["https://", "a.test", ".", "?", " ", "/"])).map("".join))
def test_the_pieces_are_the_text(text: str) -> None:
    assert "".join(piece for piece, _ in links_of_text(text)) == text
