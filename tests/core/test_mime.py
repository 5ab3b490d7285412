"""The parser: any bytes, any splitting, the tree of the stock parser, and bounded in time."""

from __future__ import annotations

import base64
import email
import email.policy
import encodings
import time
from email.message import EmailMessage, Message
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.parsing import parse
from mailkeep.mail.body import Body
from mailkeep.mail.charsets import decode_text
from mailkeep.mail.mime import MimeParser
from mailkeep.mail.parse import MessageParser
from mailkeep.mail.parsed import ParsedMessage
from mailkeep.mail.parts import encoding
from mailkeep.mail.spool import Spool
from mailkeep.mail.transfer import decoder_for

_PIECES = st.lists(
    st.sampled_from(
        [
            b"--b\r\n", b"--b--\r\n", b"--b \r\n", b"--bb\r\n", b"--c\r\n", b"--c--\r\n", b"-\r\n", b"--",
            b"\r\n", b"\n", b"\r", b"text\r\n", b"Content-Type: text/plain\r\n",
            b"Content-Type: text/html; charset=utf-8\r\n",
            b"Content-Type: multipart/mixed; boundary=b\r\n", b"Content-Type: multipart/alternative; boundary=c\r\n",
            b"Content-Type: application/octet-stream; name=x\r\n", b"Content-Transfer-Encoding: 8bit\r\n",
            b"Subject: s\r\n", b" folded\r\n", b"X:\r\n", b"no header here\r\n", b"\xff\xfe\x00\r\n", b"From x\r\n",
        ]
    ),
    max_size=40,
).map(b"".join)  # fmt: skip


@pytest.mark.parametrize("step", [1, 7, 64, 1_000, 100_000])
@pytest.mark.parametrize(
    "end",
    [b"\r\nbody", b"no header\r\nbody", b"--b\r\n\r\nbody\r\n--b--", b"-x: y\r\n\r\nbody", b" \r\n\r\nbody", b"X"],
)
def test_beyond_the_limit_headers_end_where_they_end(step: int, end: bytes) -> None:
    many = b"Content-Type: multipart/mixed; boundary=b\r\n" + b"X: a\r\n folded\r\n" * 2_000
    parsed = parse(many + end, step=step)
    assert "headers_truncated" in parsed.defects
    assert len(parsed.headers) <= 1_001  # what begins like a boundary is let through
    assert (parsed.text or "").strip() == parse(b"Content-Type: multipart/mixed; boundary=b\r\n" + end).text


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def seen(message: ParsedMessage) -> tuple[object, ...]:
    files = [(file.filename, file.declared_type, file.sha256, file.size_bytes) for file in message.files]
    return message.headers, message.text, message.html, files, message.defects


@settings(max_examples=400, deadline=None)
@given(data=_PIECES, step=st.integers(1, 50))
def test_the_splitting_of_the_input_does_not_matter(data: bytes, step: int) -> None:
    assert seen(parse(data, step=step)) == seen(parse(data))


@settings(max_examples=400, deadline=None)
@given(data=_PIECES)
def test_the_tree_is_the_stock_parsers(data: bytes) -> None:
    """The same parts in the same order, with the same headers and the same content."""
    stock = email.message_from_bytes(data, policy=email.policy.compat32)
    parser = MimeParser(lambda part: Kept(decoder_for(encoding(part))))
    parser.feed_bytes(data)
    root = parser.finish()
    assert [[*part.raw_items()] for part in root.walk()] == [[*part.raw_items()] for part in stock.walk()]
    assert [part.get_content_type() for part in root.walk()] == [part.get_content_type() for part in stock.walk()]
    ours = [part.body.content for part in root.leaves() if isinstance(part.body, Kept) and not _broken(part)]
    assert ours == [_content(part) for part in stock.walk() if not part.is_multipart() and not _broken(part)]


class Kept(Body):
    """All of it."""

    content = b""

    def _take(self, data: bytes) -> None:
        self.content += data


def _broken(part: Message) -> bool:
    """A multipart without parts, of which the stock parser keeps the text that precedes them as something else."""
    return part.get_content_maintype() == "multipart"


def _content(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=2_000), step=st.integers(1, 200))
def test_any_bytes_are_a_message(data: bytes, step: int) -> None:
    assert "parse_failed" not in parse(data, step=step).defects


@settings(max_examples=100, deadline=None)
@given(
    text=st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=300),
    subject=st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=60),
    content=st.binary(max_size=3_000),
    charset=st.sampled_from(["utf-8", "utf-16"]),
)
def test_what_was_put_in_comes_out(text: str, subject: str, content: bytes, charset: str) -> None:
    # By hand: EmailMessage cuts utf-16 in the middle of a character.
    message = EmailMessage()
    message["Subject"] = subject.strip()
    head = message.as_bytes(policy=email.policy.SMTP).removesuffix(b"\r\n") + MULTIPART
    parts = [("text/plain; charset=" + charset, text.encode(charset)), ("application/x-test; name=a.bin", content)]
    for content_type, body in parts:
        head += f"--b\r\nContent-Type: {content_type}\r\nContent-Transfer-Encoding: base64\r\n\r\n".encode()
        head += base64.encodebytes(body).replace(b"\n", b"\r\n")
    parsed = parse(head + b"--b--\r\n", step=77)
    assert (parsed.text or "").rstrip("\n") == text.rstrip("\n")
    assert [(file.spool.head(5_000), file.size_bytes) for file in parsed.files] == [(content, len(content))]
    assert " ".join(parsed.subject.split()) == " ".join(subject.split())


MULTIPART = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"


@pytest.mark.parametrize(
    "charset",
    [
        "x-unknown",
        "idna",
        "undefined",
        "zlib",
        "rot13",
        "utf-8\0",
        "unicode_escape",
        "utf-7",
        "utf-16",
        "hex",
        "a" * 9_999,
    ],
)
def test_attack_048_any_charset_gives_text(charset: str) -> None:
    data = b'Content-Type: text/plain; charset="' + charset.encode() + b'"\r\n\r\n<b>+ADw- caf\xe9 \\u0041'
    text = parse(data).text
    assert text
    assert "<script" not in text
    assert "A" not in text.replace("ADw", "")


@pytest.mark.parametrize(
    ("encoding", "body", "content", "defect"),
    [
        ("base64", b"aGVsbG8=\r\n", b"hello", None),
        ("base64", b"aGVs*bG8=\r\n", b"hello", "base64_invalid_character"),
        ("base64", b"aGVsbG8", b"hello", "base64_truncated"),
        ("base64", b"aGVsbG8ha", b"hello!", "base64_truncated"),
        ("base64", b"aGU=bGxv\r\n", b"hello", None),
        ("BASE64 ", b"aGVsbG8=\r\n", b"hello", None),
        ("quoted-printable", b"a=3Db=\r\nc=C3=A9\r\n", "a=bcé\r\n".encode(), None),
        ("quoted-printable", b"50=% =ZZ\r\n", b"50=% =ZZ\r\n", None),
        ("x-uuencode", b"x\r\nbegin 644 a\r\n#86)C\r\n `\r\n`\r\nend\r\nx\r\n", b"abc", None),
        ("uuencode", b"begin 644 a\n#86)C\n", b"abc", "uuencode_truncated"),
        ("x-uue", b"begin 644 a\n#86)C\n#\x01\x02\nend\n", b"abc", "uuencode_invalid_line"),
        ("x-unheard", b"abc\r\n", b"abc\r\n", "unknown_transfer_encoding"),
        ("binary", b"\0\xff", b"\0\xff", None),
    ],
)
def test_transfer_encodings(encoding: str, body: bytes, content: bytes, defect: str | None) -> None:
    data = f"Content-Type: application/x-a\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode() + body
    for step in (1, 3, 1_000):
        parsed = parse(data, step=step)
        assert parsed.files[0].spool.head(100) == content
        assert defect is None or defect in parsed.defects


def test_large_attachments_are_not_held_in_memory(tmp_path: Path) -> None:
    content = bytes(range(256)) * 40_000
    data = MULTIPART + b"--b\r\nContent-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    data += base64.encodebytes(content).replace(b"\n", b"\r\n") + b"\r\n--b--\r\n"
    [file] = parse(data, tmp_path).files
    assert file.size_bytes == len(content)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [content]
    file.spool.discard()
    assert list(tmp_path.iterdir()) == []


def test_large_parts_do_not_hold_descriptors(tmp_path: Path) -> None:
    """Three such messages took all 1,024 that a process has."""
    part = b"--b\r\nContent-Type: image/png\r\n\r\n" + b"x" * 66_000 + b"\r\n"
    parser = MessageParser(lambda: Spool(tmp_path))
    open_before = descriptors()
    parser.feed(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n")
    for _ in range(50):
        parser.feed(part)
    parsed = parser.finish()
    assert descriptors() <= open_before + 1
    parsed.files[0].spool.settle(tmp_path / "settled")
    assert (tmp_path / "settled").read_bytes() == b"x" * 66_000
    parser.discard()
    assert descriptors() <= open_before
    assert list(tmp_path.iterdir()) == [tmp_path / "settled"]


def test_an_attached_message_is_a_file() -> None:
    inner = b"Subject: inner\r\n\r\n--b-- is text here\r\n"
    data = MULTIPART + b"--b\r\n\r\nsee below\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n" + inner + b"--b--\r\n"
    parsed = parse(data)
    assert parsed.text == "see below"
    assert [(file.filename, file.declared_type) for file in parsed.files] == [("message.eml", "message/rfc822")]
    assert parsed.files[0].spool.head(100) == inner.removesuffix(b"\r\n")


@pytest.mark.parametrize(
    ("header", "name", "address"),
    [
        ("Anna <anna@a.test>", "Anna", "anna@a.test"),
        ("=?utf-8?q?J=C3=B6rg?= <j@a.test>", "Jörg", "j@a.test"),
        ("=?iso-8859-1?q?J=F6rg?= <j@a.test>", "Jörg", "j@a.test"),
        ('"a@good.test" <x@evil.test>', "a@good.test", "x@evil.test"),
        ("=?utf-8?q?a=0D=0ABcc=3A_x?= <j@a.test>", "a Bcc: x", "j@a.test"),
        ("Jörg <j@a.test>", "Jörg", "j@a.test"),
        ("", "", ""),
        ("nobody", "", "nobody"),
    ],
)
def test_the_sender_as_people_read_it(header: str, name: str, address: str) -> None:
    sender = parse(f"From: {header}\r\n\r\n".encode()).sender
    assert (sender.name, sender.address) == (name, address)


@pytest.mark.parametrize(
    "value", ["", "tomorrow", "1 Jan 99999 00:00:00", "Mon, 99999999999999999999 Jan 2020 00:00:00", "0"]
)
def test_a_date_that_is_none(value: str) -> None:
    assert parse(f"Date: {value}\r\n\r\n".encode()).date is None


@pytest.mark.parametrize("step", [1, 5, 1_000])
def test_a_close_delimiter_directly_before_the_outer_one(step: int) -> None:
    data = b"--b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\n\r\ntext\r\n--c--\r\n--b\r\n"
    data = MULTIPART + data + b"Content-Type: application/x-a; name=a.bin\r\n\r\nfile\r\n--b--\r\n"
    parsed = parse(data, step=step)
    assert (parsed.text, [(file.filename, file.size_bytes) for file in parsed.files]) == ("text", [("a.bin", 4)])


def in_parts(header: bytes, count: int) -> bytes:
    part = b"--b\r\n" + header + b"\r\n\r\nx\r\n"
    return b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + part * count + b"--b--\r\n"


@pytest.mark.parametrize(
    "header",
    [
        b"Content-Type: a/b" + b";" * 8_000,
        b"Content-Type: a/b" + b';"' * 4_000,
        b"Content-Type: text/plain\r\nContent-Disposition: a" + b";" * 8_000,
        b"Content-Disposition: a; " + b"".join(b"filename*%d*=%%e2;" % number for number in range(450)),
    ],
)
def test_attack_036_parameters_in_each_of_a_thousand_parts(header: bytes) -> None:
    """They took 24 s: a cap on one field is none on the message."""
    started = time.monotonic()
    assert "parameters_truncated" in parse(in_parts(header, 990)).defects
    assert time.monotonic() - started < 8  # about one, on a busy machine


@pytest.mark.parametrize(
    "parameters",
    [
        b"boundary*0=b; boundary*=us-ascii''b; name*=us-ascii''c; name*0=d",
        b"boundary*=undefined''b",
        b"boundary*=idna''b",
        b"boundary=b; name*" + b"9" * 5000 + b"*=a",
        b"boundary=b; charset*0=a; charset*=b",
    ],
)
@pytest.mark.parametrize("kind", [b"multipart/mixed", b"text/plain", b"image/png"])
def test_attack_036_continuations_that_contradict_each_other(kind: bytes, parameters: bytes) -> None:
    body = b"--b\r\nContent-Type: " + kind + b"; " + parameters + b"\r\n\r\nx\r\n--b--\r\n"
    parsed = parse(b"Subject: whole\r\nContent-Type: " + kind + b"; " + parameters + b"\r\n\r\n" + body)
    assert parsed.subject == "whole"
    assert "parse_failed" not in parsed.defects


def test_names_of_charsets_are_not_remembered() -> None:
    """The interpreter keeps every name it looks up: 8 KB of memory for each of a thousand parts, for ever."""
    known = len(encodings._cache)
    part = b"Content-Type: text/plain; charset=unknown-%d\r\nContent-Disposition: a; filename*=unheard-%d''x"
    mail = b"".join(b"--b\r\n" + part % (number, number) + b"\r\n\r\nx\r\n" for number in range(300))
    words = b"".join(b"=?never-%d?q?a?= " % number for number in range(300))
    parse(b"Subject: " + words + b"\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + mail)
    assert len(encodings._cache) <= known + 5


@pytest.mark.parametrize(
    ("charset", "body", "text"),
    [
        ("KOI8-U", "Привіт", "koi8-u"),
        ("windows-1251", "Привет", "cp1251"),
        ("ISO-8859-15", "€", "iso8859-15"),
        ("iso_8859-1:1987", "é", "latin-1"),
        ("ks_c_5601-1987", "안녕", "euc-kr"),
        ("GB2312", "你好", "gb2312"),
        ("Shift_JIS", "こんにちは", "shift-jis"),
        ("iso-2022-jp", "こんにちは", "iso2022-jp"),
        ("x-sjis", "", "ascii"),
        ("ansi_x3.4-1968", "plain", "ascii"),
        ("  UTF8 ", "ü", "utf-8"),
        ("unicode-1-1-utf-8", "ü", "utf-8"),
        ("ksc_5601", "똠방각하", "cp949"),
        ("x-gbk", "朱镕基", "gbk"),
        ("cn-big5", "你好", "big5"),
        ("x-euc-jp", "こんにちは", "euc-jp"),
        ("x-cp1251", "Привет", "cp1251"),
        ("iso88591", "é", "latin-1"),
        ("x-mac-roman", "é", "mac-roman"),
        ("visual", "שלום", "iso8859-8"),
        ("utf-8 (Unicode)", "ü", "utf-8"),
    ],
)
def test_charsets_in_the_spellings_that_mail_has(charset: str, body: str, text: str) -> None:
    assert decode_text(body.encode(text), charset)[0] == body
