"""Mail that says as much as the limits allow is stored with its words, on each engine and in bounded time.

MariaDB takes packets of 16 MB unless told otherwise; a row that is larger would be kept without its words.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

import pytest

from core.conftest import Customer, deliver
from core.parsing import multipart, part
from mailkeep.bootstrap import Core

HEAD: Final = "From: a@a.test\r\nDate: Tue, 24 Nov 2026 08:00:00 +0000\r\n"


def mail(*parts: bytes) -> bytes:
    return multipart(*parts, head=HEAD)


def many_people() -> bytes:
    people = b"a,b," * 500
    fields = b"".join(name + b": " + people + b"\r\n" for name in (b"From", b"To", b"Cc"))
    return mail(*[part("message/rfc822", fields + b"Subject: s\r\n\r\nx")] * 450)


def named_people() -> bytes:
    people = ", ".join(f"Jörg Müller {number} <j{number}@a.test>" for number in range(1_000)).encode()
    return mail(*[part("message/rfc822", b"From: a@a.test\r\nTo: " + people + b"\r\n\r\nx")] * 200)


def reports() -> bytes:
    block = "".join(f'X-{number}: {"é" * 300}""\r\n' for number in range(45)).encode() + b"\r\n"
    return mail(*[part("message/delivery-status", block * 2)] * 420)


def dispositions() -> bytes:
    return mail(*[part("application/x-a", b"x", "Content-Disposition: " + "\xe9" * 4_000)] * 990)


def filenames() -> bytes:
    name = "%C2%AD" * 900
    return mail(*[part("application/x-a", b"x", f"Content-Disposition: attachment; filename*=utf-8''{name}")] * 990)


def attached_text() -> bytes:
    text = b'Content-Type: text/plain; charset=windows-1252\r\n\r\n"\\\x80' + b"\x80" * 2_000_000
    return mail(part("message/rfc822", text))


def quotes() -> bytes:
    return mail(part("message/rfc822", b"Subject: s\r\n\r\n" + b'"' * 2_000_000))


def text_beside_html() -> bytes:
    return mail(part("text/plain", b"&" * 1_000_000), part("text/html", b"<p>" + b"\xff" * 1_000_000))


SHAPES: Final[Mapping[str, Callable[[], bytes]]] = {
    "people of attached messages": many_people,
    "names of people of attached messages": named_people,
    "reports": reports,
    "dispositions": dispositions,
    "file names": filenames,
    "an attached text": attached_text,
    "an attached text of quotes": quotes,
    "text beside HTML": text_beside_html,
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_the_largest_mail_is_stored_with_its_words(core: Core, alice: Customer, shape: str) -> None:
    started = time.process_time()
    assert await deliver(core, SHAPES[shape](), alice.recipient()) == [None]
    # Some took forty seconds, each field by itself within its limit.
    assert time.process_time() - started < 15
    [message] = await alice.messages()
    detail = await core.inbox.read(alice.actor, message.id)
    assert "not_storable" not in detail.defects
    assert "parse_failed" not in detail.defects
    assert detail.structure is not None
    assert message.sender.address == "a@a.test"
