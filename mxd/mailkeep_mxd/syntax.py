"""The arguments of MAIL and RCPT: paths and parameters (RFC 5321 section 4.1.2), read strictly.

Nothing is repaired: what is not an address is refused before anybody looks it up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mailkeep.domain.address import canonical_address
from mailkeep.errors import InvalidInput
from mailkeep_mxd import replies
from mailkeep_mxd.replies import Reply

# Longer than RFC 5321 section 4.5.3.1.3 asks for: the senders of mailing lists (VERP, SRS) are.
MAX_SENDER_BYTES: Final = 512
MAX_SIZE_DIGITS: Final = 20  # RFC 1870 section 3

# A sender is only kept, never looked up, so what is out there passes: `a..b@`, quoted strings, literals, bare names.
# What must not pass are the characters that mean something in a path, and controls.
_ATOMS: Final = r"[^\x00-\x20\x7f-\x9f\ud800-\udfff()<>\[\]\\,:;@\"]+"
_QUOTED: Final = r'"(?:[^\x00-\x1f\x7f-\x9f\ud800-\udfff"\\]|\\[\x20-\x7e])*"'
_DOMAIN: Final = rf"(?:{_ATOMS}|\[[A-Za-z0-9.:\-]+\])"
_SENDER: Final = re.compile(rf"(?:{_ATOMS}|{_QUOTED})(?:@{_DOMAIN})?")
_PARAMETER: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9\-]*)(?:=([\x21-\x3c\x3e-\x7e]+))?")


class Rejected(Exception):
    """A command whose argument is wrong; `reply` is the answer."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


@dataclass(frozen=True, slots=True)
class MailArgument:
    """What MAIL said. `sender` is empty for the null sender; `declared_bytes` is SIZE= (RFC 1870)."""

    sender: str
    smtputf8: bool
    declared_bytes: int | None


@dataclass(frozen=True, slots=True)
class RecipientArgument:
    """What RCPT said: the address as given, and the spelling under which it is looked up."""

    as_given: str
    canonical: str


def parse_mail(argument: str, *, is_extended: bool) -> MailArgument:
    """`FROM:<sender> SIZE=n BODY=8BITMIME SMTPUTF8`. Raises Rejected."""
    path, rest = _split_path(argument, "FROM:", replies.BAD_SENDER)
    parameters = _parameters(rest)
    if parameters.keys() - {"SIZE", "BODY", "SMTPUTF8"} or (parameters and not is_extended):
        raise Rejected(replies.UNKNOWN_PARAMETER)
    smtputf8 = "SMTPUTF8" in parameters
    if parameters.get("SMTPUTF8") or parameters.get("BODY", "7BIT").upper() not in {"7BIT", "8BITMIME"}:
        raise Rejected(replies.BAD_ARGUMENT)
    declared_bytes = _size(parameters["SIZE"]) if "SIZE" in parameters else None
    return MailArgument(_sender(path, smtputf8=smtputf8), smtputf8=smtputf8, declared_bytes=declared_bytes)


def parse_rcpt(argument: str, *, smtputf8: bool) -> RecipientArgument:
    """`TO:<address>`; no parameters are known. Raises Rejected."""
    path, rest = _split_path(argument, "TO:", replies.BAD_RECIPIENT)
    if _parameters(rest):
        raise Rejected(replies.UNKNOWN_PARAMETER)
    if path.lower() == "postmaster":  # RFC 5321 section 4.5.1: its only mailbox without a domain; nobody reads it here
        raise Rejected(replies.NO_SUCH_RECIPIENT)
    if not smtputf8 and not path.isascii():  # RFC 6531 section 3.4
        raise Rejected(replies.BAD_RECIPIENT)
    try:
        return RecipientArgument(as_given=path, canonical=canonical_address(path))
    except InvalidInput as error:
        raise Rejected(replies.BAD_RECIPIENT) from error


def _split_path(argument: str, keyword: str, malformed: Reply) -> tuple[str, str]:
    """What stands in the angle brackets, and what follows them."""
    if argument[: len(keyword)].upper() != keyword:
        raise Rejected(replies.BAD_ARGUMENT)
    text = argument[len(keyword) :].lstrip(" ")
    end = _end_of_path(text)
    rest = text[end + 1 :]
    if end < 0 or (rest and not rest.startswith(" ")):
        raise Rejected(malformed)
    return text[1:end], rest


def _end_of_path(text: str) -> int:
    """Where the closing bracket is, -1 when there is no path; a bracket within a quoted string closes nothing."""
    if not text.startswith("<"):
        return -1
    quoted = False
    position = 1
    while position < len(text):
        character = text[position]
        if character == ">" and not quoted:
            return position
        if character == '"':
            quoted = not quoted
        # Within a quoted string a backslash takes the next character with it.
        position += 2 if character == "\\" and quoted else 1
    return -1


def _parameters(text: str) -> Mapping[str, str]:
    """`KEY=value KEYWORD` with upper-case keys, "" for a bare keyword."""
    found: dict[str, str] = {}
    for word in filter(None, text.split(" ")):
        match = _PARAMETER.fullmatch(word)
        if match is None or match[1].upper() in found:
            raise Rejected(replies.BAD_ARGUMENT)
        found[match[1].upper()] = match[2] or ""
    return found


def _size(value: str) -> int:
    if not value.isascii() or not value.isdigit() or len(value) > MAX_SIZE_DIGITS:
        raise Rejected(replies.BAD_ARGUMENT)
    return int(value)


def _sender(path: str, *, smtputf8: bool) -> str:
    if path == "":  # RFC 5321 section 4.5.5: the null sender of a delivery report
        return path
    is_address = _SENDER.fullmatch(path) and len(path.encode()) <= MAX_SENDER_BYTES
    if not is_address or not (smtputf8 or path.isascii()):
        raise Rejected(replies.BAD_SENDER)
    return path
