"""Header fields as people read them: unfolded, decoded (RFC 2047, RFC 6532), and harmless in a log or a page."""

from __future__ import annotations

import re
from email.errors import HeaderParseError
from email.header import decode_header
from typing import Final

from mailkeep.mail.charsets import decode_text

# RFC 5322 section 2.2.3: a line break before white space is no part of the field.
_FOLD: Final = re.compile(r"(?:\r\n|\r|\n)(?=[ \t])")
# Section 4.2 allows lines of nothing else in an obsolete field.
_BLANK_LINE: Final = re.compile(r"(?:\r\n|\r|\n)[ \t]+(?=[\r\n])")
_BREAKS: Final = re.compile(r"[\r\n\t]+")
_ENCODED_WORD: Final = re.compile(r"=\?[^?\s]{1,100}\?[bqBQ]\?[^?\s]*\?=")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
# Postfix writes: by mx.example (Postfix) with ESMTP id 4XyZ1234 for <…>; date
_QUEUE_ID: Final = re.compile(r"\bby\s+(\S{1,255})\s.{0,200}?\bid\s+([0-9A-Za-z]{6,30})\b")
_FIRST_RECEIVED: Final = re.compile(rb"^received:((?:[^\n]*\n[ \t])*[^\n]*)", re.IGNORECASE | re.MULTILINE)
_BEGINNING: Final = 16 * 1024
# As our own Postfix writes it, and nobody else: it says what is kept of the connection. hops.py reads everybody's.
# … (using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) …
_TLS: Final = re.compile(r"\(using (TLSv[\d.]{1,5}) with cipher ([A-Z0-9_\-]{1,60})[ )]")


def unfold(raw: str, charset: str = "") -> str:
    """A field's body on one line. Takes latin-1 text.

    Its bytes are read as UTF-8 (RFC 6532) where they are, else by `charset`, that of the text below, else as
    windows-1252.
    """
    text = raw if raw.isascii() else _raw_text(raw.encode("latin-1", "replace"), charset)
    return printable(_BREAKS.sub(" ", _FOLD.sub("", _BLANK_LINE.sub("", text)))).strip()


def _raw_text(data: bytes, charset: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return decode_text(data, charset)[0]


def printable(text: str) -> str:
    """Text without control characters and lone surrogates: each becomes U+FFFD."""
    return _CONTROL.sub("\ufffd", text)


def decode(text: str) -> str:
    """Encoded words decoded; an encoded word that cannot be decoded is left as it is. Takes unfolded text."""
    if "=?" not in text:
        return text
    try:
        decoded = _decoded(text)
    except (HeaderParseError, ValueError):
        # One of the words is broken: the others need not be lost with it.
        decoded = _ENCODED_WORD.sub(lambda word: _decoded_or_left(word[0]), text)
    return printable(_BREAKS.sub(" ", decoded))


def _decoded(text: str) -> str:
    """Raises HeaderParseError, ValueError."""
    return "".join(
        # RFC 2231 section 5: a language may follow the charset.
        piece if isinstance(piece, str) else decode_text(piece, (charset or "us-ascii").partition("*")[0])[0]
        for piece, charset in decode_header(text)
    )


def _decoded_or_left(word: str) -> str:
    try:
        return _decoded(word)
    except (HeaderParseError, ValueError):
        return word


def queue_id(received: str) -> str:
    """The host and queue id in a Received field, as `host/id`; empty when it names none. Takes unfolded text."""
    match = _QUEUE_ID.search(received[:2000])
    return f"{match[1]}/{match[2]}" if match else ""


def queue_id_at(beginning: bytes) -> str:
    """The same, from the first bytes of a message that has not been parsed."""
    header, _, _ = beginning[:_BEGINNING].partition(b"\r\n\r\n")
    found = _FIRST_RECEIVED.search(header)
    return queue_id(unfold(found[1].decode("latin-1"))) if found else ""


def received_tls(received: str) -> str:
    """The TLS that a Received field names, as `TLSv1.3 TLS_AES_256_GCM_SHA384`; empty for none. Takes unfolded text."""
    match = _TLS.search(received[:2000])
    return f"{match[1]} {match[2]}" if match else ""
