"""What is put into a mail comes out of it, whatever its structure, charsets and encodings."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailkeep.mail.filenames import safe_name
from mailkeep.mail.parse import MessageParser
from mailkeep.mail.parsed import ParsedMessage
from mailkeep.mail.spool import Spool
from samples.generated import MAILS, Mail, damaged_mails

FULL: Final = os.environ.get("MAILKEEP_TEST_FULL") == "1"
SLOW: Final = [HealthCheck.too_slow, HealthCheck.data_too_large]


def parse(data: bytes, *, step: int) -> ParsedMessage:
    parser = MessageParser(lambda: Spool(Path()))
    for start in range(0, len(data), step):
        parser.feed(data[start : start + step])
    return parser.finish()


@pytest.mark.timeout(2_000 if FULL else 120)
@settings(max_examples=3_000 if FULL else 300, deadline=None, suppress_health_check=SLOW)
@given(mail=MAILS, step=st.sampled_from([1, 5, 61, 1_000, 65_536]))
def test_what_was_put_in_comes_out(mail: Mail, step: int) -> None:
    parsed = parse(mail.source(), step=step)
    assert (parsed.subject, [sender.name for sender in parsed.senders]) == (mail.subject, [mail.sender])
    assert parsed.text == mail.plain()
    assert parsed.html == mail.html()
    files = [(file.filename, file.declared_type, file.size_bytes, file.sha256) for file in parsed.files]
    assert files == [
        (safe_name(file.name), file.media_type, len(file.content), hashlib.sha256(file.content).hexdigest())
        for file in mail.files()
    ]
    assert parsed.defects == ("date_missing",)


@pytest.mark.timeout(2_000 if FULL else 120)
@settings(max_examples=3_000 if FULL else 300, deadline=None, suppress_health_check=SLOW)
@given(source=damaged_mails(), step=st.sampled_from([1, 7, 65_536]))
def test_a_damaged_mail_is_read_the_same_in_any_pieces(source: bytes, step: int) -> None:
    whole, parts = parse(source, step=len(source) + 1), parse(source, step=step)
    assert "parse_failed" not in whole.defects
    assert (parts.headers, parts.text, parts.html, parts.structure) == (
        whole.headers,
        whole.text,
        whole.html,
        whole.structure,
    )
    assert [file.sha256 for file in parts.files] == [file.sha256 for file in whole.files]
