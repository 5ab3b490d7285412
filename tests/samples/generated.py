"""Messages made at random, as hypothesis strategies: what was put in, and the bytes that carry it."""

from __future__ import annotations

import base64
import binascii
import html
from collections.abc import Iterator
from dataclasses import dataclass
from email.header import Header
from itertools import count
from typing import Final
from urllib.parse import quote

from hypothesis import strategies as st

# fmt: off
SINGLE_BYTE: Final = (
    "iso-8859-1", "iso-8859-2", "iso-8859-5", "iso-8859-7", "iso-8859-15",
    "windows-1250", "windows-1251", "windows-1252", "koi8-r", "koi8-u",
)
# fmt: on
ASCII: Final = "".join(map(chr, range(0x20, 0x7F)))
# The characters of a text in each charset; line feeds come on top.
ALPHABETS: Final = {
    "us-ascii": st.sampled_from(ASCII),
    "iso-2022-jp": st.sampled_from(ASCII + "こんにちは世界、日本語。カタカナ"),
    "euc-jp": st.sampled_from(ASCII + "こんにちは世界、日本語。カタカナ"),
    "shift_jis": st.sampled_from(ASCII + "こんにちは世界、日本語。カタカナｶﾅ"),
    "euc-kr": st.sampled_from(ASCII + "안녕하세요세계한글"),
    "big5": st.sampled_from(ASCII + "你好世界中文"),
    "gb2312": st.sampled_from(ASCII + "你好世界中文"),
    **{name: st.sampled_from(ASCII + bytes(range(0xA1, 0x100)).decode(name, "ignore")) for name in SINGLE_BYTE},
    # U+FEFF at the beginning says how to read what follows, and is no text.
    **{
        name: st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufeff")
        for name in ("utf-8", "gb18030", "utf-16", "utf-16le")
    },
}
WIDE: Final = frozenset({"utf-16", "utf-16le"})


@dataclass(frozen=True)
class Text:
    """A text/plain or text/html part."""

    text: str
    subtype: str
    charset: str
    encoding: str


@dataclass(frozen=True)
class File:
    name: str
    content: bytes
    media_type: str
    encoding: str
    name_encoding: str


@dataclass(frozen=True)
class Multipart:
    subtype: str
    parts: tuple[Part, ...]


Part = Text | File | Multipart


@dataclass(frozen=True)
class Mail:
    subject: str
    sender: str
    body: Part

    def source(self) -> bytes:
        head = f"From: {_word(self.sender)} <a@example.org>\r\nSubject: {_word(self.subject)}\r\nMIME-Version: 1.0\r\n"
        return head.encode() + serialised(self.body, count())

    def texts(self) -> list[Text]:
        return [part for part in _leaves(self.body) if isinstance(part, Text)]

    def files(self) -> list[File]:
        return [part for part in _leaves(self.body) if isinstance(part, File)]

    def plain(self) -> str | None:
        """What a reader of plain text sees: all of it."""
        texts = [part.text for part in self.texts() if part.subtype == "plain"]
        return "\n".join(texts) if texts else None

    def html(self) -> str | None:
        """What a reader of HTML sees: all of it, and the plain text that no alternative shows in HTML."""
        return "\n".join(_html_pieces(self.body)) if _has_html(self.body) else None


def serialised(part: Part, numbers: Iterator[int]) -> bytes:
    """A part with its header, in CRLF lines. `numbers` make the boundaries differ."""
    if isinstance(part, Multipart):
        boundary = f"=_{next(numbers)}_generated"
        head = f'Content-Type: multipart/{part.subtype}; boundary="{boundary}"\r\n\r\n'
        pieces = [f"--{boundary}\r\n".encode() + serialised(inner, numbers) + b"\r\n" for inner in part.parts]
        return head.encode() + b"".join(pieces) + f"--{boundary}--".encode()
    if isinstance(part, Text):
        head = f"Content-Type: text/{part.subtype}; charset={part.charset}\r\n"
        content = part.text.replace("\n", "\r\n").encode(part.charset)
    else:
        head = f"Content-Type: {part.media_type}\r\nContent-Disposition: attachment; {_filename(part)}\r\n"
        content = part.content
    head += f"Content-Transfer-Encoding: {part.encoding}\r\n\r\n"
    return head.encode() + _encoded(content, part.encoding, is_text=isinstance(part, Text))


def _encoded(content: bytes, encoding: str, *, is_text: bool) -> bytes:
    if encoding == "base64":
        return base64.encodebytes(content).replace(b"\n", b"\r\n")
    if encoding == "quoted-printable":
        return binascii.b2a_qp(content, istext=is_text)
    return content


def _filename(file: File) -> str:
    if file.name_encoding == "rfc2231":
        return f"filename*=utf-8''{quote(file.name, safe='')}"
    return f'filename="{_word(file.name) if not file.name.isascii() else file.name}"'


def _word(text: str) -> str:
    return Header(text, "utf-8", maxlinelen=10_000).encode()


def _leaves(part: Part) -> Iterator[Text | File]:
    if isinstance(part, Multipart):
        for inner in part.parts:
            yield from _leaves(inner)
    else:
        yield part


def _has_html(part: Part) -> bool:
    return any(isinstance(leaf, Text) and leaf.subtype == "html" for leaf in _leaves(part))


def _html_pieces(part: Part) -> Iterator[str]:
    if isinstance(part, Multipart):
        rich = [inner for inner in part.parts if _has_html(inner)] if part.subtype == "alternative" else []
        for inner in rich or part.parts:
            yield from _html_pieces(inner)
    elif isinstance(part, Text):
        lines = html.escape(part.text.strip(), quote=False).split("\n")
        yield part.text if part.subtype == "html" else f"<p>{'<br>'.join(lines)}</p>"


@st.composite
def _texts(draw: st.DrawFn) -> Text:
    charset = draw(st.sampled_from(sorted(ALPHABETS)))
    lines = draw(st.lists(st.text(ALPHABETS[charset], max_size=60), min_size=1, max_size=5))
    # A word at the beginning, so that no part is blank.
    text = "Text: " + "\n".join(lines)
    encodings = ["base64"] if charset in WIDE else ["8bit", "binary", "quoted-printable", "base64"]
    if charset not in WIDE and (text.isascii() or charset == "iso-2022-jp"):
        encodings.append("7bit")
    return Text(text, draw(st.sampled_from(["plain", "plain", "html"])), charset, draw(st.sampled_from(encodings)))


_NAMES: Final = st.text(st.characters(categories=["Ll", "Lu", "Lo", "Nd"]), min_size=1, max_size=30)
_FILES: Final = st.builds(
    File,
    name=_NAMES.map(lambda stem: f"{stem}.bin"),
    content=st.binary(max_size=400),
    media_type=st.sampled_from(["application/octet-stream", "application/x-test", "image/png"]),
    encoding=st.sampled_from(["base64", "binary", "quoted-printable"]),
    name_encoding=st.sampled_from(["rfc2231", "word"]),
)
_TREES: Final = st.recursive(
    st.one_of(_texts(), _texts(), _FILES),
    lambda inner: st.builds(
        Multipart,
        subtype=st.sampled_from(["mixed", "alternative", "related"]),
        parts=st.lists(inner, min_size=1, max_size=4).map(tuple),
    ),
    max_leaves=12,
)
_WORDS: Final = st.text(st.characters(categories=["Ll", "Lu", "Lo", "Nd", "Sm"]), min_size=1, max_size=40)
MAILS: Final = st.builds(Mail, subject=_WORDS, sender=_WORDS, body=_TREES)


@st.composite
def damaged_mails(draw: st.DrawFn) -> bytes:
    """The bytes of a mail with a few cut out, doubled or put in."""
    source = draw(MAILS).source()
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(source)))
        end = min(len(source), start + draw(st.integers(0, 40)))
        source = (
            source[:start]
            + draw(st.sampled_from([b"", source[start:end] * 2, b"\r\n", b"\0\xff", b"--"]))
            + source[end:]
        )
    return source
