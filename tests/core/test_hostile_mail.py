"""Mail made to hurt its reader: understood or flagged, in time and in little memory (attack cases 33 to 50)."""

from __future__ import annotations

import base64
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from core.conftest import Customer, deliver
from core.parsing import multipart, parse, part, tree
from mailkeep.bootstrap import Core
from mailkeep.mail.limits import MAX_DEPTH, MAX_MAILBOXES, MAX_PARTS, MAX_SUBJECT
from mailkeep.mail.parsed import ParsedMessage

# Each of these takes minutes, or the machine's memory, when it is done naively. Seconds of our own work, so that
# what else the machine does is not counted; about one is needed, three where memory is watched.
PATIENCE_S: Final = 20
MEMORY_BYTES: Final = 64 * 1024 * 1024
MULTIPART: Final = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"


def parse_in_time(data: bytes, directory: Path) -> ParsedMessage:
    started = time.process_time()
    parsed = parse(data, directory)
    assert time.process_time() - started < PATIENCE_S
    assert "parse_failed" not in parsed.defects
    return parsed


def parse_in_little_memory(data: bytes, directory: Path) -> ParsedMessage:
    tracemalloc.start()
    try:
        parsed = parse_in_time(data, directory)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < MEMORY_BYTES
    return parsed


@pytest.mark.parametrize("count", [20_000, 100_000])
def test_attack_033_semicolons(tmp_path: Path, count: int) -> None:
    parsed = parse_in_time(b"Content-Type: text/plain" + b";" * count + b"\r\n\r\ntext", tmp_path)
    assert (parsed.text, "parameters_truncated" in parsed.defects) == ("text", True)


@pytest.mark.parametrize("recipients", [b"," * 100_000, b"a@b.test,\r\n " * 15_000, b"a@b.test," * 15_000])
def test_attack_034_recipients_without_end(tmp_path: Path, recipients: bytes) -> None:
    parsed = parse_in_time(b"Subject: s\r\nTo: " + recipients + b"\r\n\r\ntext", tmp_path)
    assert (parsed.subject, len(parsed.to) <= MAX_MAILBOXES) == ("s", True)
    assert {"addresses_truncated", "headers_truncated"} & set(parsed.defects)


@pytest.mark.parametrize("count", [500, 5_000])
@pytest.mark.parametrize("nest", [b"(", b"a:", b"<", b'"', b"[", b"\\"])
def test_attack_035_nests_in_from(tmp_path: Path, nest: bytes, count: int) -> None:
    parsed = parse_in_time(b"Subject: s\r\nFrom: " + nest * count + b"\r\n\r\ntext", tmp_path)
    assert (parsed.subject, parsed.text) == ("s", "text")


@pytest.mark.parametrize(
    "parameters",
    [
        b"".join(b";\r\n name*%d=x" % number for number in range(10_000)),
        b'; name="' + b'"' * 100_000,
        b'; name="unbalanced' + b" x" * 50_000,
    ],
)
def test_attack_036_parameters(tmp_path: Path, parameters: bytes) -> None:
    parsed = parse_in_time(b"Subject: s\r\nContent-Type: a/b" + parameters + b"\r\n\r\nx", tmp_path)
    assert (parsed.subject, len(parsed.files)) == ("s", 1)


@pytest.mark.parametrize("depth", [40, 100, 1_000, 10_000])
def test_attack_037_multiparts_in_multiparts(tmp_path: Path, depth: int) -> None:
    nest = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(depth))
    parsed = parse_in_little_memory(b"Subject: s\r\n" + nest + b"\r\ninnermost", tmp_path)
    assert parsed.subject == "s"
    assert ("nesting_too_deep" in parsed.defects) == (depth > MAX_DEPTH)
    assert (parsed.text == "innermost") == (depth <= MAX_DEPTH)


@pytest.mark.parametrize("depth", [30, 48])
@pytest.mark.parametrize("kind", ["multipart/mixed; boundary=b{}", "message/rfc822"])
async def test_attack_037_the_deepest_tree_is_stored(core: Core, alice: Customer, kind: str, depth: int) -> None:
    """MariaDB takes no JSON of more than 32 levels: such mail was stored unparsed."""
    nest = "".join(f"Content-Type: {kind.format(n)}\r\n\r\n" + f"--b{n}\r\n" * ("b{}" in kind) for n in range(depth))
    source = f"Subject: s\r\n{nest}\r\ninnermost".encode()
    assert await deliver(core, source, alice.recipient()) == [None]
    [message] = await alice.messages()
    detail = await core.inbox.read(alice.actor, message.id)
    assert (message.subject, detail.structure) == ("s", tree(parse(source)))


@pytest.mark.parametrize("count", [100_000, 300_000])
def test_attack_038_empty_parts(tmp_path: Path, count: int) -> None:
    parsed = parse_in_little_memory(MULTIPART + b"--b\r\n\r\n" * count, tmp_path)
    assert "parts_truncated" in parsed.defects
    assert len(tree(parsed).parts) <= MAX_PARTS


@pytest.mark.parametrize(
    "head",
    [b"X: a\r\n" * 500_000, b"X: " + b"a" * 10_000_000 + b"\r\n", b"X" * 1_000_000 + b": a\r\n"],
    ids=["fields", "long field", "long name"],
)
def test_attack_039_headers(tmp_path: Path, head: bytes) -> None:
    parsed = parse_in_time(b"Subject: s\r\n" + head + b"\r\nbody", tmp_path)
    assert (parsed.subject, (parsed.text or "").endswith("body")) == ("s", True)
    assert "headers_truncated" in parsed.defects


def test_attack_040_blank_lines(tmp_path: Path) -> None:
    parsed = parse_in_little_memory(b"Subject: s\r\n\r\n" + b"\r\n" * 12_000_000, tmp_path)
    assert (parsed.subject, "text_truncated" in parsed.defects) == ("s", True)


@pytest.mark.parametrize("name", ["Received", "Date", "Message-ID", "Content-ID", "Subject", "From"])
@pytest.mark.parametrize(
    "bait", ["<", "by a ", "id ", "(using TLSv1.3 with cipher ", "=?", "=?utf-8?q?", " ", "1.", "a@"]
)
def test_attack_041_bait_for_patterns(tmp_path: Path, name: str, bait: str) -> None:
    field = f"{name}: {bait * (100_000 // len(bait))}\r\n\r\ntext"
    assert parse_in_time(field.encode(), tmp_path).text == "text"


@pytest.mark.parametrize("step", [1, 3, 1_000])
@pytest.mark.parametrize(
    ("parameter", "delimiter"),
    [
        ("", "b"),
        ('; boundary=""', ""),
        ("; boundary=b; boundary=c", "b"),
        (f"; boundary={'b' * 500}", "b" * 500),
        ('; boundary="b\r"', "b"),
        ('; boundary=".*"', ".*"),
        ('; boundary="(a+)+$"', "(a+)+$"),
        ('; boundary="b b"', "b b"),
        ("; boundary=b", "bb"),
        ("; boundary=bb", "b"),
    ],
)
def test_attack_042_boundaries(parameter: str, delimiter: str, step: int) -> None:
    """The words of each part are somewhere to be seen, and the tree does not depend on how the bytes arrive."""
    body = "".join(f"--{delimiter}\r\n\r\nword{number}\r\n" for number in range(3)) + f"--{delimiter}--\r\n"
    data = f"Content-Type: multipart/mixed{parameter}\r\n\r\n{body}".encode()
    parsed = parse(data, step=step)
    assert all(f"word{number}" in (parsed.text or "") for number in range(3))
    assert tree(parsed) == tree(parse(data))


def test_attack_042_one_boundary_begins_like_another() -> None:
    inner = multipart(part("text/plain", "inner"), boundary="bb")
    parsed = parse(multipart(inner, part("text/plain", "outer"), boundary="b"))
    assert (parsed.text, [child.section for child in tree(parsed).walk()]) == ("inner\nouter", ["", "1", "1.1", "2"])


@pytest.mark.parametrize("near", [b"--b x\n", b"--\n", b"--b-\n", b"-b\n", b"\r--\n"])
def test_attack_042_lines_that_are_nearly_boundaries(tmp_path: Path, near: bytes) -> None:
    parse_in_little_memory(MULTIPART + near * (10_000_000 // len(near)), tmp_path)


@pytest.mark.parametrize(
    "field", ["Subject: {}", "From: {} <a@b.test>", "To: {} <a@b.test>", "Message-ID: {}", "Reply-To: {} <a@b.test>"]
)
def test_attack_046_control_characters_in_encoded_words(field: str) -> None:
    word = "=?utf-8?q?a=0D=0ABcc=3A_eve=40evil=2Etest=00=1B=5B31m=7F=C2=85=E2=80=A8b?="
    parsed = parse(field.format(word).encode() + b"\r\n\r\ntext")
    mailboxes = [*parsed.senders, *parsed.to, *parsed.reply_to]
    shown = [parsed.subject, parsed.message_id, *(mailbox.name for mailbox in mailboxes)]
    assert not [char for text in shown for char in text if not char.isprintable()]
    assert [name.lower() for name, _ in parsed.headers] == [field.partition(":")[0].lower()]


_BREAKS: Final = base64.b64encode(b"\r\n" * 50_000).decode()
_LONG_SUBJECTS: Final[dict[str, Callable[[], str]]] = {
    "line breaks": lambda: f"=?utf-8?b?{_BREAKS}?=",
    "words": lambda: "=?utf-8?q?a?= " * 20_000,
    "words on lines": lambda: "=?utf-8?q?a?=\r\n " * 900,
    "nested": lambda: "=?utf-8?q?" * 20_000,
}


@pytest.mark.parametrize("kind", _LONG_SUBJECTS)
def test_attack_047_encoded_words(tmp_path: Path, kind: str) -> None:
    subject = parse_in_time(f"Subject: {_LONG_SUBJECTS[kind]()}\r\n\r\ntext".encode(), tmp_path).subject
    assert len(subject) <= MAX_SUBJECT
    assert "\n" not in subject


def test_attack_050_names_of_fields_are_data() -> None:
    names = ["headers", "__class__", "__proto__", "constructor", "__init__", "items", "raw_items", "policy", "defects"]
    parsed = parse("".join(f"{name}: {name}\r\n" for name in names).encode() + b"\r\ntext")
    assert parsed.headers == tuple((name, name) for name in names)
    assert parsed.text == "text"


def test_attack_050_a_name_with_a_kilobyte_of_spaces() -> None:
    parsed = parse(b"X" + b" " * 1_024 + b": y\r\nSubject: s\r\n\r\ntext")
    shown = (parsed.text or "") + "".join(map("".join, parsed.headers))
    assert all(word in shown for word in ("X", "y", "text"))
