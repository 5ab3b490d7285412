"""MAIL and RCPT, read strictly."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkeep_mxd import replies
from mailkeep_mxd.replies import Reply
from mailkeep_mxd.syntax import Rejected, parse_mail, parse_rcpt


@pytest.mark.parametrize(
    ("argument", "sender", "declared_bytes", "smtputf8"),
    [
        ("FROM:<>", "", None, False),
        ("from:<a@b.test>", "a@b.test", None, False),
        ("FROM: <a@b.test>  SIZE=7 ", "a@b.test", 7, False),
        ("FROM:<a@b.test> size=0 body=8bitmime", "a@b.test", 0, False),
        ("FROM:<a..b.@b.test>", "a..b.@b.test", None, False),
        ('FROM:<"a > b"@b.test> BODY=7BIT', '"a > b"@b.test', None, False),
        ("FROM:<a@[192.0.2.1]>", "a@[192.0.2.1]", None, False),
        ("FROM:<root>", "root", None, False),
        ("FROM:<ä@bücher.test> SMTPUTF8", "ä@bücher.test", None, True),
        (f"FROM:<{'v' * 200}@b.test>", f"{'v' * 200}@b.test", None, False),
    ],
)
def test_what_mail_takes(argument: str, sender: str, declared_bytes: int | None, smtputf8: bool) -> None:
    mail = parse_mail(argument, is_extended=True)
    assert (mail.sender, mail.declared_bytes, mail.smtputf8) == (sender, declared_bytes, smtputf8)


@pytest.mark.parametrize(
    ("argument", "reply"),
    [
        ("", replies.BAD_ARGUMENT),
        ("TO:<a@b.test>", replies.BAD_ARGUMENT),
        ("FROM:a@b.test", replies.BAD_SENDER),
        ("FROM:<a@b.test", replies.BAD_SENDER),
        ("FROM:<a@b.test>x", replies.BAD_SENDER),
        ("FROM:<a@b.test\0>", replies.BAD_SENDER),
        ("FROM:<a\rb@b.test>", replies.BAD_SENDER),
        ("FROM:<@r1:a@b.test>", replies.BAD_SENDER),
        ("FROM:<a(comment)@b.test>", replies.BAD_SENDER),
        ("FROM:<ä@b.test>", replies.BAD_SENDER),
        ("FROM:<\udcff@b.test> SMTPUTF8", replies.BAD_SENDER),
        (f"FROM:<{'v' * 600}@b.test>", replies.BAD_SENDER),
        ("FROM:<a@b.test> SIZE=abc", replies.BAD_ARGUMENT),
        ("FROM:<a@b.test> SIZE=-1", replies.BAD_ARGUMENT),
        ("FROM:<a@b.test> SIZE=٣", replies.BAD_ARGUMENT),
        (f"FROM:<a@b.test> SIZE={'9' * 5000}", replies.BAD_ARGUMENT),
        ("FROM:<a@b.test> SIZE", replies.BAD_ARGUMENT),
        ("FROM:<a@b.test> SIZE=1 SIZE=2", replies.BAD_ARGUMENT),
        ("FROM:<a@b.test> BODY=BINARYMIME", replies.BAD_ARGUMENT),
        ("FROM:<a@b.test> SMTPUTF8=yes", replies.BAD_ARGUMENT),
        ("FROM:<a@b.test> =", replies.BAD_ARGUMENT),
        ("FROM:<a@b.test> RET=HDRS", replies.UNKNOWN_PARAMETER),
    ],
)
def test_what_mail_refuses(argument: str, reply: Reply) -> None:
    with pytest.raises(Rejected) as caught:
        parse_mail(argument, is_extended=True)
    assert caught.value.reply is reply


LONG_DOMAIN = ".".join(["d" * 63, "d" * 63, "d" * 57])


@pytest.mark.parametrize(
    ("recipient", "is_address"),
    [
        (f"{'x' * 64}@b.test", True),  # RFC 5321 section 4.5.3.1.1
        (f"{'x' * 65}@b.test", False),
        (f"{'ä' * 32}@b.test", True),  # octets, not characters
        (f"{'ä' * 33}@b.test", False),
        (f"{'x' * 64}@{LONG_DOMAIN}.dev", True),  # 254 and the brackets: section 4.5.3.1.3
        (f"{'x' * 64}@{LONG_DOMAIN}.devs", False),
        (f"x@{'d' * 63}.test", True),  # RFC 1035 section 2.3.4
        (f"x@{'d' * 64}.test", False),
    ],
)
def test_addresses_up_to_the_lengths_of_the_standard(recipient: str, *, is_address: bool) -> None:
    if is_address:
        assert parse_rcpt(f"TO:<{recipient}>", smtputf8=True).as_given == recipient
        return
    with pytest.raises(Rejected) as caught:
        parse_rcpt(f"TO:<{recipient}>", smtputf8=True)
    assert caught.value.reply is replies.BAD_RECIPIENT


def test_parameters_need_ehlo() -> None:
    with pytest.raises(Rejected) as caught:
        parse_mail("FROM:<a@b.test> SIZE=1", is_extended=False)
    assert caught.value.reply is replies.UNKNOWN_PARAMETER


@given(st.text(max_size=80), st.booleans())
def test_no_argument_whatever_gets_past_as_an_exception(text: str, flag: bool) -> None:
    for argument in (text, f"FROM:{text}", f"FROM:<{text}> {text}", f"TO:<{text}"):
        # Rejected is all that may come out, and it holds a reply of the table.
        with contextlib.suppress(Rejected):
            assert "\n" not in parse_mail(argument, is_extended=flag).sender
        with contextlib.suppress(Rejected):
            assert "@" in parse_rcpt(argument, smtputf8=flag).canonical
