"""Address fields: the mailboxes that they name, and what is odd about them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from email.utils import getaddresses
from typing import Final

from mailkeep.domain.mailbox import Mailbox
from mailkeep.mail.address_list import prepared
from mailkeep.mail.headers import decode, printable
from mailkeep.mail.limits import MAX_ADDRESS_HEADER, MAX_MAILBOXES, MAX_NAME

_LOOKS_LIKE_ADDRESS: Final = re.compile(r"[^\s<>()\[\],;:\"'@]{1,64}@[^\s<>()\[\],;:\"'@]{1,255}")
# A local part may hold an apostrophe (RFC 5322 section 3.2.3) or be quoted, a domain be an address in brackets.
_ADDR_SPEC: Final = re.compile(
    r"""(?:[^\s<>()\[\],;:"@]{1,64}|"[^"]{1,64}")@(?:[^\s<>()\[\],;:"'@]{1,255}|\[[0-9A-Za-z.:-]{1,60}\])"""
)
# A group of nobody (RFC 5322 section 3.4), or brackets around nothing.
_NOBODY: Final = re.compile(r"[^:;,<>@()]*:\s*;?|[\s<>,;]*")


def read_mailboxes(text: str) -> tuple[tuple[Mailbox, ...], frozenset[str]]:
    """The mailboxes of an address field, and the codes of what was odd. Takes unfolded text.

    What cannot be taken for a mailbox is returned as one name without an address.
    """
    defects = set()
    if len(text) > MAX_ADDRESS_HEADER:
        text, _, _ = text[:MAX_ADDRESS_HEADER].rpartition(",")
        defects.add("addresses_truncated")
    found: list[Mailbox] = []
    for mailbox in prepared(text):
        if len(found) == MAX_MAILBOXES:
            defects.add("addresses_truncated")
            break
        found.extend(_mailbox(name, spec) for name, spec in getaddresses([mailbox]) if name or spec)
    if not found and not _NOBODY.fullmatch(text.strip()):
        return (Mailbox(text[:MAX_NAME], ""),), frozenset({*defects, "addresses_unreadable"})
    return tuple(found), frozenset(defects)


def read_senders(fields: Sequence[str], *, sender: str) -> tuple[tuple[Mailbox, ...], frozenset[str]]:
    """The mailboxes of all From fields, and the codes of what was odd. `sender` is the Sender field.

    One author, once, is what readers expect; several are allowed where Sender says who sent it (RFC 5322 section
    3.6.2). Another name for the same message is how a reader is deceived.
    """
    read = [read_mailboxes(field) for field in fields]
    senders = tuple(mailbox for found, _ in read for mailbox in found)
    defects = {code for _, codes in read for code in codes}
    if not senders:
        defects.add("from_missing")
    elif len(fields) > 1 or (len(senders) > 1 and not sender) or not all(map(_has_address, senders)):
        defects.add("from_ambiguous")
    if any(_name_misleads(sender) for sender in senders):
        defects.add("from_name_is_address")
    return senders[:MAX_MAILBOXES], frozenset(defects)


def _mailbox(name: str, addr_spec: str) -> Mailbox:
    return Mailbox(decode(name).strip()[:MAX_NAME], printable(addr_spec[:MAX_NAME]))


def _has_address(mailbox: Mailbox) -> bool:
    return _ADDR_SPEC.fullmatch(mailbox.address) is not None


def _name_misleads(mailbox: Mailbox) -> bool:
    """Whether the name looks like an address that is not the mailbox's own, also in letters that only look the same."""
    seen = "".join(char for char in unicodedata.normalize("NFKC", mailbox.name) if unicodedata.category(char) != "Cf")
    if mailbox.address and mailbox.address.lower() == seen.strip(" '\"<>").lower():
        return False
    named = _LOOKS_LIKE_ADDRESS.search(seen)
    return named is not None and named[0].lower() != mailbox.address.lower()
