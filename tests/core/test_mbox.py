"""mboxrd: what is written is read again, byte for byte."""

from __future__ import annotations

import mailbox
import re
from collections.abc import AsyncGenerator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailkeep.mail.mbox import END, escaped, from_line

MOMENT = datetime(2026, 11, 4, 9, 5, 7, tzinfo=UTC)
PIECES = [b"From ", b">", b"F", b"Fro", b"m ", b"\n", b"\r\n", b"\r", b" ", b"x", b"\x00", b"\xff"]


async def pieces(content: bytes, size: int) -> AsyncGenerator[bytes, None]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def stored(content: bytes, size: int = 1_000) -> bytes:
    return b"".join([chunk async for chunk in escaped(pieces(content, size))])


@settings(deadline=None, max_examples=500)
@given(st.lists(st.sampled_from(PIECES), max_size=20).map(b"".join), st.integers(1, 8))
async def test_attack_103_lines_that_begin_a_message(content: bytes, size: int) -> None:
    written = await stored(content, size)
    assert not re.search(rb"^From ", written, re.MULTILINE)
    whole = content if not content or content.endswith(b"\n") else content + b"\n"
    assert re.sub(rb"^>(>*From )", rb"\1", written, flags=re.MULTILINE) == whole


async def test_it_holds_nothing_back() -> None:
    async for chunk in escaped(pieces(b"\n" + b">" * 500_000 + b"From x\n", 10_000)):
        assert len(chunk) <= 10_010


def test_the_line_before_a_message() -> None:
    assert from_line("a@b.test", MOMENT) == b"From a@b.test Wed Nov  4 09:05:07 2026\n"
    assert from_line("", MOMENT) == b"From MAILER-DAEMON Wed Nov  4 09:05:07 2026\n"
    assert from_line("\u00e4 b\nFrom c@d", MOMENT) == b"From __b_From_c@d Wed Nov  4 09:05:07 2026\n"


@pytest.mark.parametrize("ends", [b"\r\n", b"\n"])
async def test_python_reads_the_messages_that_were_written(tmp_path: Path, ends: bytes) -> None:
    messages = [
        b"Subject: 1\n\nFrom me to you\n>From them\n\n",
        b"",
        b"Subject: 2\n\n\n\n\nFrom \n",
        b"From x\nFrom y\n",
        b"\n",
    ]
    messages = [message.replace(b"\n", ends) for message in messages]
    path = tmp_path / "mailbox.mbox"
    path.write_bytes(b"".join([from_line("", MOMENT) + await stored(message) + END for message in messages]))
    with closing(mailbox.mbox(path)) as box:
        read = [box.get_bytes(key) for key in box.iterkeys()]
    assert [re.sub(rb"^>(>*From )", rb"\1", message, flags=re.MULTILINE) for message in read] == messages
