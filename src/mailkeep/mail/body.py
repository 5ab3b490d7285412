"""Where the bytes of a part go while they arrive: text is held for display, everything else becomes a file."""

from __future__ import annotations

import codecs
import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final

from mailkeep.errors import MessageTooLarge
from mailkeep.mail.charsets import decode_text
from mailkeep.mail.limits import MAX_FILES_BYTES, MAX_TEXT_BYTES
from mailkeep.mail.spool import Spool
from mailkeep.mail.transfer import Decoder

_META_CHARSET: Final = re.compile(rb"<meta\b[^>]{0,200}?\bcharset\s*=\s*[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_META_BYTES: Final = 1024


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
        if self.is_html and data.startswith(codecs.BOM_UTF8):
            return "utf-8"
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
