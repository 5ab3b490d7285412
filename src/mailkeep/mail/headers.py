"""Header fields as people read them: unfolded, decoded (RFC 2047, RFC 6532), and harmless in a log or a page."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.header import decode_header
from email.utils import getaddresses, parsedate_to_datetime
from typing import Final

from mailkeep.domain.mailbox import Mailbox
from mailkeep.mail.body import decode_text
from mailkeep.mail.limits import MAX_ADDRESS_HEADER, MAX_COMMENTS, MAX_MAILBOXES, MAX_NAME

_FOLDING: Final = re.compile(r"[\r\n\t]+")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
# Postfix writes: by mx.example (Postfix) with ESMTP id 4XyZ1234 for <…>; date
_QUEUE_ID: Final = re.compile(r"\bby\s+(\S{1,255})\s.{0,200}?\bid\s+([0-9A-Za-z]{6,30})\b")
_FIRST_RECEIVED: Final = re.compile(rb"^received:((?:[^\n]*\n[ \t])*[^\n]*)", re.IGNORECASE | re.MULTILINE)
_BEGINNING: Final = 16 * 1024
# … (using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) …
_TLS: Final = re.compile(r"\(using (TLSv[\d.]{1,5}) with cipher ([A-Z0-9_\-]{1,60})[ )]")


def unfold(raw: str) -> str:
    """A field's body on one line, its bytes read as UTF-8 where they are, else as windows-1252. Takes latin-1 text."""
    text = raw if raw.isascii() else decode_text(raw.encode("latin-1", "replace"), "utf-8")[0]
    return printable(_FOLDING.sub(" ", text)).strip()


def printable(text: str) -> str:
    """Text without control characters and lone surrogates: each becomes U+FFFD."""
    return _CONTROL.sub("\ufffd", text)


def decode(text: str) -> str:
    """Encoded words decoded; an encoded word that cannot be decoded is left as it is. Takes unfolded text."""
    if "=?" not in text:
        return text
    try:
        pieces = decode_header(text)
    except (HeaderParseError, ValueError):
        return text
    decoded = "".join(
        piece if isinstance(piece, str) else decode_text(piece, charset or "us-ascii")[0] for piece, charset in pieces
    )
    return printable(_FOLDING.sub(" ", decoded))


def mailboxes(text: str) -> tuple[tuple[Mailbox, ...], frozenset[str]]:
    """The mailboxes of an address field, and the codes of what was odd. Takes unfolded text.

    What the stdlib cannot take apart in good time is returned as one name without an address.
    """
    defects = set()
    if len(text) > MAX_ADDRESS_HEADER:
        text, _, _ = text[:MAX_ADDRESS_HEADER].rpartition(",")
        defects.add("addresses_truncated")
    if text.count("(") > MAX_COMMENTS:
        return (Mailbox(text[:MAX_NAME], ""),), frozenset({"addresses_unreadable"})
    try:
        pairs = getaddresses([text])
    except (RecursionError, ValueError, IndexError):
        return (Mailbox(text[:MAX_NAME], ""),), frozenset({"addresses_unreadable"})
    found = tuple(_mailbox(name, spec) for name, spec in pairs if name or spec)
    if len(found) > MAX_MAILBOXES:
        defects.add("addresses_truncated")
    if not found and text:
        found = (Mailbox(text[:MAX_NAME], ""),)
        defects.add("addresses_unreadable")
    return found[:MAX_MAILBOXES], frozenset(defects)


def _mailbox(name: str, addr_spec: str) -> Mailbox:
    return Mailbox(decode(name)[:MAX_NAME], printable(addr_spec[:MAX_NAME]))


def date(text: str) -> datetime | None:
    """RFC 5322 section 3.3 and its obsolete forms; None for what is no date, or none that a database holds."""
    try:
        moment = parsedate_to_datetime(text[:200])
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if 1970 <= moment.year <= 9998 else None


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
