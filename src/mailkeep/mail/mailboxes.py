"""Address fields: the mailboxes that they name, and what is odd about them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from email.utils import getaddresses
from typing import Any, Final

from mailkeep.domain.mailbox import Mailbox
from mailkeep.mail.headers import decode, printable
from mailkeep.mail.limits import MAX_ADDRESS_HEADER, MAX_COMMENTS, MAX_MAILBOXES, MAX_NAME

# Interpreters with the mend for CVE-2023-27043 give no address at all for a field that they find odd, older ones give
# what they read. We show all that is there, and say that it is odd: see `read_senders`.
_LENIENT: Final[dict[str, Any]] = {"strict": False} if "strict" in inspect.signature(getaddresses).parameters else {}
_LOOKS_LIKE_ADDRESS: Final = re.compile(r"[^\s<>()\[\],;:\"'@]{1,64}@[^\s<>()\[\],;:\"'@]{1,255}")


def read_mailboxes(text: str) -> tuple[tuple[Mailbox, ...], frozenset[str]]:
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
        pairs = getaddresses([text], **_LENIENT)
    except (RecursionError, ValueError, IndexError):
        return (Mailbox(text[:MAX_NAME], ""),), frozenset({"addresses_unreadable"})
    found = tuple(_mailbox(name, spec) for name, spec in pairs if name or spec)
    if len(found) > MAX_MAILBOXES:
        defects.add("addresses_truncated")
    if not found and text:
        found = (Mailbox(text[:MAX_NAME], ""),)
        defects.add("addresses_unreadable")
    return found[:MAX_MAILBOXES], frozenset(defects)


def read_senders(fields: Sequence[str]) -> tuple[tuple[Mailbox, ...], frozenset[str]]:
    """The mailboxes of all From fields, and the codes of what was odd. One author, once, is what readers expect.

    Another name for the same message is how a reader is deceived (RFC 5322 section 3.6 allows one From field only).
    """
    read = [read_mailboxes(field) for field in fields]
    senders = tuple(mailbox for found, _ in read for mailbox in found)
    defects = {code for _, codes in read for code in codes}
    if not senders:
        defects.add("from_missing")
    elif len(senders) > 1 or len(fields) > 1 or not _is_addr_spec(senders[0].address):
        defects.add("from_ambiguous")
    if any(_name_misleads(sender) for sender in senders):
        defects.add("from_name_is_address")
    return senders[:MAX_MAILBOXES], frozenset(defects)


def _mailbox(name: str, addr_spec: str) -> Mailbox:
    return Mailbox(decode(name)[:MAX_NAME], printable(addr_spec[:MAX_NAME]))


def _is_addr_spec(text: str) -> bool:
    return _LOOKS_LIKE_ADDRESS.fullmatch(text) is not None


def _name_misleads(mailbox: Mailbox) -> bool:
    """Whether the name looks like an address that is not the mailbox's own."""
    named = _LOOKS_LIKE_ADDRESS.search(mailbox.name)
    return named is not None and named[0].lower() != mailbox.address.lower()
