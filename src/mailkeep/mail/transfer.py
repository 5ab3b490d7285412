"""Content-Transfer-Encoding (RFC 2045 section 6), decoded while the bytes arrive and whatever they are."""

from __future__ import annotations

import binascii
import re
from typing import Final, Protocol

_BASE64: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64: Final = bytes(set(range(256)) - set(_BASE64 + b"="))
_BASE64_AND_SPACE: Final = _BASE64 + b"=\r\n\t "
# Some senders pad every piece that they encode and join the pieces. An attacker would pad every letter.
_MAX_PIECES: Final = 1_000
# A line of quoted-printable has at most 76 characters (section 6.7); nobody who breaks that may fill our memory.
_MAX_HELD: Final = 64 * 1024
_TRAILING: Final = re.compile(rb"[ \t](?:\r?\n|\Z)")
_UUENCODE: Final = frozenset({"x-uuencode", "uuencode", "x-uue", "uue"})


class Decoder(Protocol):
    """Turns encoded bytes into decoded ones, in any splitting of the input. `defects` are codes of what was odd."""

    defects: set[str]

    def decode(self, data: bytes) -> bytes: ...

    def finish(self) -> bytes: ...


class Identity:
    """7bit, 8bit, binary, and every encoding that we do not know: the bytes as they are."""

    def __init__(self) -> None:
        self.defects: set[str] = set()

    def decode(self, data: bytes) -> bytes:
        return data

    def finish(self) -> bytes:
        return b""


class Base64:
    """Section 6.8: characters outside the alphabet are passed over."""

    def __init__(self) -> None:
        self.defects: set[str] = set()
        self._held = b""
        self._pieces = 0

    def decode(self, data: bytes) -> bytes:
        if data.translate(None, _BASE64_AND_SPACE):
            self.defects.add("base64_invalid_character")
        *ended, rest = self._pieces_of(self._held + data.translate(None, _NOT_BASE64))
        decoded = [self._padded(piece) for piece in ended]
        whole = len(rest) & ~3
        self._held = rest[whole:]
        return b"".join((*decoded, binascii.a2b_base64(rest[:whole])))

    def finish(self) -> bytes:
        if self._held:
            self.defects.add("base64_truncated")
        return self._padded(self._held)

    def _pieces_of(self, data: bytes) -> list[bytes]:
        """Split where padding ends a piece; the last one is still growing."""
        if b"=" not in data or self._pieces >= _MAX_PIECES:
            return [data.translate(None, b"=")]
        pieces = data.split(b"=", _MAX_PIECES)
        self._pieces += len(pieces) - 1
        pieces[-1] = pieces[-1].translate(None, b"=")
        return pieces

    def _padded(self, piece: bytes) -> bytes:
        if len(piece) % 4 == 1:
            self.defects.add("base64_truncated")
            piece = piece[:-1]
        return binascii.a2b_base64(piece + b"=" * (-len(piece) % 4))


class QuotedPrintable:
    """Section 6.7, a whole line at a time so that no escape is cut in two."""

    def __init__(self) -> None:
        self.defects: set[str] = set()
        self._held = b""

    def decode(self, data: bytes) -> bytes:
        data = self._held + data
        end = data.rfind(b"\n") + 1
        if not end and len(data) > _MAX_HELD:
            escape = data.rfind(b"=", len(data) - 2)
            end = escape if escape > 0 else len(data)
        self._held = data[end:]
        return binascii.a2b_qp(_trimmed(data[:end]))

    def finish(self) -> bytes:
        held, self._held = self._held, b""
        return binascii.a2b_qp(_trimmed(held))


def _trimmed(data: bytes) -> bytes:
    """Without the white space at the end of lines, which a server added on the way (rule 3)."""
    if not _TRAILING.search(data):
        return data
    return b"\n".join(
        line[:-1].rstrip(b" \t") + b"\r" if line[-1:] == b"\r" else line.rstrip(b" \t") for line in data.split(b"\n")
    )


class Uuencode:
    """What mail had before base64: the lines between `begin` and `end`, each with its length before it."""

    def __init__(self) -> None:
        self.defects: set[str] = set()
        self._held = b""
        self._begun = False
        self._ended = False

    def decode(self, data: bytes) -> bytes:
        *lines, self._held = (self._held + data).split(b"\n")
        if len(self._held) > _MAX_HELD:
            lines.append(self._held)
            self._held = b""
        return b"".join(map(self._line, lines))

    def finish(self) -> bytes:
        held, self._held = self._held, b""
        decoded = self._line(held)
        if not self._ended:
            self.defects.add("uuencode_truncated")
        return decoded

    def _line(self, line: bytes) -> bytes:
        line = line.rstrip(b"\r")
        if not self._begun:
            self._begun = line.startswith(b"begin ")
            return b""
        self._ended = self._ended or line.strip() == b"end"
        if self._ended or not line:
            return b""
        try:
            return binascii.a2b_uu(line)
        except binascii.Error:
            self.defects.add("uuencode_invalid_line")
            return b""


def decoder_for(encoding: str) -> Decoder:
    """The decoder of a Content-Transfer-Encoding, in any case and with white space around it."""
    name = encoding.strip().lower()
    if name == "base64":
        return Base64()
    if name == "quoted-printable":
        return QuotedPrintable()
    if name in _UUENCODE:
        return Uuencode()
    identity = Identity()
    if name not in {"", "7bit", "8bit", "binary"}:
        identity.defects.add("unknown_transfer_encoding")
    return identity
