"""The reply table: its form, and that a fault of ours is never permanent."""

from __future__ import annotations

import re

import pytest

from mailkeep import errors
from mailkeep_mxd import replies
from mailkeep_mxd.replies import Reply

WELL_FORMED = re.compile(r"[245]\d\d[ -][245]\.\d{1,3}\.\d{1,3} \S")


@pytest.mark.parametrize("reply", replies.ALL, ids=str)
def test_attack_011_every_reply_carries_a_code_that_agrees_and_text(reply: Reply) -> None:
    if reply is replies.SEND_CONTENT:  # RFC 2034 section 4: a 3xx has none
        assert str(reply) == "354 end the message with <CRLF>.<CRLF>"
        return
    assert WELL_FORMED.match(str(reply))
    assert str(reply.code)[0] == reply.status[0]
    assert str(reply).isascii()
    assert len(reply.encode()) <= 512  # RFC 5321 section 4.5.3.1.5


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.MessageTooLarge("x"), "552 5.3.4"),
        (errors.QuotaExceeded("x"), "452 4.2.2"),
        (errors.RateExceeded("x", retry_after_s=1), "450 4.2.1"),
        (errors.MemoryBudgetExceeded("x"), "452 4.3.1"),
        (errors.StorageUnavailable("x"), "451 4.3.0"),
        (errors.ScannerUnavailable("x"), "451 4.3.0"),
        (errors.Infected("x"), "550 5.7.1"),
        (errors.DatabaseUnavailable("x"), "451 4.3.0"),
        (errors.NotFound("x"), "451 4.3.0"),
        (errors.NotAllowed("x"), "451 4.3.0"),
        (RuntimeError("secret"), "451 4.3.0"),
        (KeyError("a@b.test"), "451 4.3.0"),
    ],
)
def test_an_error_becomes_its_reply_and_tells_nothing(error: Exception, code: str) -> None:
    reply = replies.reply_to(error)
    assert str(reply).startswith(code)
    assert "secret" not in str(reply)
    assert "a@b.test" not in str(reply)
