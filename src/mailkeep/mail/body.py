"""Where the bytes of a part go while they arrive: text is held for display, everything else becomes a file."""

from __future__ import annotations

import codecs
import encodings
import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from encodings.aliases import aliases
from typing import Final

from mailkeep.errors import MessageTooLarge
from mailkeep.mail.limits import MAX_FILES_BYTES, MAX_TEXT_BYTES
from mailkeep.mail.spool import Spool
from mailkeep.mail.transfer import Decoder

# Codecs of Python that are no charset of mail, and utf-7, which hides markup from whoever checks the bytes.
_NOT_CHARSETS: Final = frozenset(
    {"idna", "punycode", "raw-unicode-escape", "unicode-escape", "utf-7", "undefined", "mbcs"}
)
# Names that mail uses and Python does not know.
_SPELLINGS: Final = {
    "iso_8859_8_e": "iso8859_8",
    "iso_8859_8_i": "iso8859_8",
    "windows_874": "cp874",
    "windows_31j": "cp932",
    "x_sjis": "cp932",
}
# In these, bytes that are ASCII are no letters: that a text is valid UTF-8 says nothing.
_NOT_ASCII: Final = ("iso2022", "hz", "utf-16", "utf-32")
# What senders write into text that they call by the narrower name; readers take the wider one for it
# (https://encoding.spec.whatwg.org/#names-and-labels).
_WIDER: Final = {
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "iso2022_jp": "iso2022_jp_ext",
    "big5": "big5hkscs",
}
_META_CHARSET: Final = re.compile(rb"<meta\b[^>]{0,200}?\bcharset\s*=\s*[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_META_BYTES: Final = 1024
# The names by which Python knows its codecs; the last ones have no alias.
_CHARSETS: Final = frozenset(aliases) | frozenset(aliases.values()) | {"cp874", "koi8_t", "koi8_u", "utf_8_sig"}


class TextBudget:
    """How many bytes of decoded text a message may still hold."""

    def __init__(self, limit: int = MAX_TEXT_BYTES) -> None:
        self._left = limit
        self.exceeded = False

    def take(self, data: bytes) -> bytes:
        """As much of `data` as there is room for."""
        taken = data[: self._left]
        self._left -= len(taken)
        self.exceeded = self.exceeded or len(taken) < len(data)
        return taken


class FilesBudget:
    """How many bytes of decoded files a message may still hold."""

    def __init__(self, limit: int = MAX_FILES_BYTES) -> None:
        self._left = limit

    def take(self, count: int) -> None:
        """Raises MessageTooLarge."""
        self._left -= count
        if self._left < 0:
            raise MessageTooLarge("the attachments are too large")


class Body(ABC):
    """A part's content: holds the last line break back, which may belong to the boundary after it (RFC 2046 5.1.1).

    `size_bytes` is what has been decoded of it.
    """

    def __init__(self, decoder: Decoder) -> None:
        self.decoder = decoder
        self.size_bytes = 0
        self._break = b""

    def write(self, data: bytes) -> None:
        data = self._break + data
        content = data.removesuffix(b"\n").removesuffix(b"\r")
        self._break = data[len(content) :]
        self._add(self.decoder.decode(content))

    def finish(self, *, before_boundary: bool) -> None:
        if not before_boundary:
            self._add(self.decoder.decode(self._break))
        self._break = b""
        self._add(self.decoder.finish())

    def _add(self, data: bytes) -> None:
        self.size_bytes += len(data)
        self._take(data)

    @abstractmethod
    def _take(self, data: bytes) -> None:
        """Decoded bytes, in order."""


class TextBody(Body):
    """Text for display."""

    def __init__(self, decoder: Decoder, budget: TextBudget, *, charset: str, is_html: bool) -> None:
        super().__init__(decoder)
        self._budget = budget
        self._chunks: list[bytes] = []
        self._charset = charset
        self.is_html = is_html

    def _take(self, data: bytes) -> None:
        kept = self._budget.take(data)
        if kept:
            self._chunks.append(kept)

    def text(self) -> str:
        """The decoded text, with line feeds. An unknown or wrong charset is a defect of the decoder."""
        data = b"".join(self._chunks)
        text, honest = decode_text(data, self._charset or self._own_charset(data))
        if not honest:
            self.decoder.defects.add("charset_wrong" if self._charset else "charset_missing")
        text = text.removeprefix("\ufeff")  # a byte order mark is no text
        return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")

    def _own_charset(self, data: bytes) -> str:
        """What an HTML document says of itself, where its part says nothing."""
        named = _META_CHARSET.search(data, 0, _META_BYTES) if self.is_html else None
        return "" if named is None else named[1].decode("ascii")


class CountedBody(Body):
    """Bytes of which only the number is of interest."""

    def _take(self, data: bytes) -> None:
        pass


class FileBody(Body):
    """A file: spooled and digested as it arrives, never held."""

    def __init__(self, decoder: Decoder, budget: FilesBudget, new_spool: Callable[[], Spool]) -> None:
        super().__init__(decoder)
        self._budget = budget
        self.spool = new_spool()
        self._digest = hashlib.sha256()

    def _take(self, data: bytes) -> None:
        if data:
            self._budget.take(len(data))
            self._digest.update(data)
            self.spool.write(data)

    def finish(self, *, before_boundary: bool) -> None:
        super().finish(before_boundary=before_boundary)
        self.spool.rest()

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


def decode_text(data: bytes, charset: str) -> tuple[str, bool]:
    """Bytes as text: by the declared charset, else UTF-8, else windows-1252. False when the declaration was wrong."""
    declared = _known_charset(charset)
    declared = _WIDER.get(declared, declared) if declared is not None else None
    for name in filter(None, (declared, "utf-8")):
        try:
            return data.decode(name), name == declared
        except UnicodeError:
            if name.startswith(_NOT_ASCII) and (text := _mostly(data, name)):
                return text, False
    guesses = (_mostly(data, name) for name in (declared, "utf-8") if name is not None)
    return next(filter(None, guesses), data.decode("cp1252", "replace")), False


def _mostly(data: bytes, charset: str) -> str:
    """The text, when a few bytes only are wrong: fewer than there are letters that show the charset to be right."""
    try:
        text = data.decode(charset, "replace")
    except UnicodeError:
        return ""
    wrong = text.count("\ufffd")
    plain = 0 if charset.startswith(_NOT_ASCII) else len(text.encode("ascii", "ignore"))
    return text if wrong < len(text) - plain - wrong else ""


def _known_charset(charset: str) -> str | None:
    # The interpreter keeps every name that it was asked for, for ever: it is asked for those that exist, in one
    # spelling.
    wanted = encodings.normalize_encoding(charset.lower()).replace(".", "_") or "ascii"
    wanted = _SPELLINGS.get(wanted, wanted)
    if wanted not in _CHARSETS:
        return None
    try:
        name = codecs.lookup(wanted).name
        b"a".decode(name)
    except UnicodeError:
        return name  # a letter alone is no text in it, but it is a charset
    except LookupError:
        return None
    return None if name.replace("_", "-") in _NOT_CHARSETS else name
