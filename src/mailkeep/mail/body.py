"""Where the bytes of a part go while they arrive: text is held for display, everything else becomes a file."""

from __future__ import annotations

import codecs
import encodings
import hashlib
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
    """A part's content: holds the last line break back, which may belong to the boundary after it (RFC 2046 5.1.1)."""

    def __init__(self, decoder: Decoder) -> None:
        self.decoder = decoder
        self._break = b""

    def write(self, data: bytes) -> None:
        data = self._break + data
        content = data.removesuffix(b"\n").removesuffix(b"\r")
        self._break = data[len(content) :]
        self._take(self.decoder.decode(content))

    def finish(self, *, before_boundary: bool) -> None:
        if not before_boundary:
            self._take(self.decoder.decode(self._break))
        self._break = b""
        self._take(self.decoder.finish())

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
        text, honest = decode_text(b"".join(self._chunks), self._charset)
        if not honest:
            self.decoder.defects.add("charset_wrong")
        return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")


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
    for name in (declared, "utf-8"):
        if name is not None:
            try:
                return data.decode(name), declared is not None and name == declared
            except UnicodeError:
                continue
    return data.decode("cp1252", "replace"), False


def _known_charset(charset: str) -> str | None:
    # The interpreter keeps every name that it was asked for, for ever: it is asked for those that exist, in one
    # spelling.
    wanted = encodings.normalize_encoding(charset.lower()).replace(".", "_") or "ascii"
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
