"""Received fields taken apart (RFC 5321 section 4.4), as mail servers really write them.

The grammar is `from … by … via … with … id … for …; date`. What the server saw of its client stands in comments, in a
form that each server has for itself. A field is cut to a length that no honest one has, and read once.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Final

from mailkeep.domain.hop import Hop, Route
from mailkeep.mail.dates import date
from mailkeep.mail.limits import MAX_RECEIVED

_MAX_FIELD: Final = 4_000
_MAX_VALUE: Final = 255
# `tls` is RFC 8314 section 4.3.
_KEYWORDS: Final = frozenset({"from", "by", "via", "with", "id", "for", "tls"})
_PIECE: Final = re.compile(r"[()]|[^\s()]+")
# qmail: (HELO mx.example) (192.0.2.1); Exim: (port=4711 helo=mx.example)
_HELO: Final = re.compile(r"\b(?:helo|ehlo)[= ] ?([^\s()]+)", re.IGNORECASE)
# Postfix, sendmail, Gmail: (mx.example. [192.0.2.1])
_REVERSE_NAME: Final = re.compile(r"\s*([^\s()\[\]@=]+?)\.?\s*\[")
_BETWEEN_ADDRESSES: Final = re.compile(r"[\s()\[\]@=,;<>]+")
_MAX_CANDIDATES: Final = 50
_TLS: Final = (
    re.compile(r"using (?P<version>TLSv[\d.]{1,5}) with cipher (?P<cipher>[\w-]{1,80})"),  # Postfix
    re.compile(r"version=(?P<version>TLS[\w.]{1,10}),? cipher=(?P<cipher>[\w-]{1,80})"),  # Gmail, Exchange, sendmail
    re.compile(r"\((?P<version>TLS[\w.]{1,10}):(?P<cipher>[\w-]{1,80}):"),  # Exim before 4.93, OpenSMTPD
    re.compile(r"\((?P<version>TLS[\w.]{1,10})\)(?P<cipher>)"),  # Exim, which names the cipher in a clause
    re.compile(r"(?P<version>)\((?P<cipher>[\w-]{1,80}) encrypted\)"),  # qmail
)
_TLS_VERSION: Final = re.compile(r"TLSv?(\d)(?:[._](\d))?", re.IGNORECASE)
# A time as Go prints it, which SendGrid writes.
_ISO: Final = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.\d{1,9})? ?(Z|[+-]\d\d:?\d\d)?")


@dataclass(frozen=True, slots=True)
class _Clause:
    """What follows a keyword: the first words that stand together, and the comments."""

    words: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)

    @property
    def phrase(self) -> str:
        return " ".join(self.words)[:_MAX_VALUE]

    @property
    def first(self) -> str:
        """The first word, without what it may stand in."""
        return self.words[0].strip("<>;,")[:_MAX_VALUE] if self.words else ""


def route(fields: Iterable[tuple[str, str]]) -> Route:
    """The way of a message by its headers, which are in their order, unfolded. At most the 100 hops nearest to us."""
    received = [value for name, value in fields if name.lower() == "received"][:MAX_RECEIVED]
    return _timed([hop(value) for value in reversed(received)])


def hop(received: str) -> Hop:
    """One field, unfolded. It does not say how long the message took to come here."""
    text, moment = _without_time(received)
    text = text[:_MAX_FIELD]
    clauses = _clauses(text)
    version, cipher = _tls(text)
    name, host, ip = _client(clauses["from"])
    return Hop(
        name=name,
        host=host,
        ip=ip,
        by=clauses["by"].first.rstrip("."),
        via=clauses["via"].phrase,
        protocol=clauses["with"].phrase,
        id=clauses["id"].first,
        recipient=clauses["for"].first,
        tls_version=version,
        tls_cipher=cipher or clauses["tls"].first,
        note=" ".join([*clauses[""].comments, *clauses[""].words])[:_MAX_VALUE],
        at=moment,
    )


def _timed(hops: Sequence[Hop]) -> Route:
    """Takes the first hop first."""
    timed: list[Hop] = []
    times: list[datetime] = []
    for each in hops:
        delay_s = (each.at - times[-1]).total_seconds() if each.at and times else None
        timed.append(replace(each, delay_s=delay_s))
        if each.at is not None:
            times.append(each.at)
    return Route(tuple(timed), (times[-1] - times[0]).total_seconds() if len(times) > 1 else None)


def _without_time(received: str) -> tuple[str, datetime | None]:
    """The field before its time, and the time; all of the field when it ends in none."""
    text, semicolon, after = received.rpartition(";")
    moment = _moment(after) if semicolon else None
    return (received, None) if moment is None else (text, moment)


def _moment(text: str) -> datetime | None:
    found = _ISO.search(text[:200])
    if found is None:
        return date(text)
    try:
        return datetime.fromisoformat(f"{found[1]}T{found[2]}{found[3] or 'Z'}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _clauses(text: str) -> Mapping[str, _Clause]:
    """The clauses by their keyword, each the first time; what stands before all of them has none."""
    found: defaultdict[str, _Clause] = defaultdict(_Clause)
    current = found[""]
    depth = begin = 0
    for match in _PIECE.finditer(text):
        piece = match[0]
        if depth > 0 or piece == "(":
            begin = match.end() if depth == 0 else begin
            depth += {"(": 1, ")": -1}.get(piece, 0)
            if depth == 0:
                current.comments.append(text[begin : match.start()])
        elif piece.lower() in _KEYWORDS - found.keys():
            current = found[piece.lower()]
        elif piece != ")" and not (current.words and current.comments):
            current.words.append(piece)
    return found


def _client(clause: _Clause) -> tuple[str, str, str]:
    """What it called itself, and the reverse name and address that the server saw."""
    said = clause.first
    inside = " ".join(clause.comments)
    helo = _HELO.search(inside)
    reverse = next((found[1] for found in map(_REVERSE_NAME.match, clause.comments) if found), "")
    addresses = [inside, *clause.words[1:]]
    if helo is not None:
        # Then the server put what it saw where others put what was said.
        addresses.append(said)
        reverse = reverse or ("" if said.startswith("[") else said.rstrip("."))
        said = helo[1].rstrip(")")[:_MAX_VALUE]
    return said, "" if reverse.lower() == "unknown" else reverse[:_MAX_VALUE], _address(" ".join(addresses))


def _address(text: str) -> str:
    """The first IP address in a text; empty when there is none."""
    for candidate in _BETWEEN_ADDRESSES.split(text, _MAX_CANDIDATES)[:_MAX_CANDIDATES]:
        try:
            return str(ip_address(re.sub(r"(?i)^ipv6:", "", candidate)))
        except ValueError:
            continue
    return ""


def _tls(text: str) -> tuple[str, str]:
    found = next((match for match in (pattern.search(text) for pattern in _TLS) if match), None)
    if found is None:
        return "", ""
    version = _TLS_VERSION.match(found["version"])
    return (f"TLSv{version[1]}" + (f".{version[2]}" if version[2] else "") if version else "", found["cipher"])
