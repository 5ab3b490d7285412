"""Addresses: what is one, when two are the same, and what a subaddress is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from mailkeep.errors import InvalidInput

# RFC 5321 sections 4.5.3.1.1 and 4.5.3.1.3, less the angle brackets of the path.
MAX_LOCAL_PART_BYTES: Final = 64
MAX_ADDRESS_BYTES: Final = 254
SUBADDRESS_SEPARATOR: Final = "+"  # RFC 5233

# RFC 5321 section 4.1.2 Dot-string, with the UTF-8 of RFC 6531 section 3.3. Quoted strings cannot be created here.
_ATEXT: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u00a1-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd\U00010000-\U0010ffff]"
_DOT_STRING: Final = re.compile(rf"{_ATEXT}+(?:\.{_ATEXT}+)*")
_LABEL: Final = r"[a-z0-9](?:[a-z0-9\-]{0,61}[a-z0-9])?"
_DOMAIN: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")

# Who reads these speaks for the domain: a certificate authority, a registry or an abuse desk takes their word. So no
# customer gets them under a domain that is shared; on a domain of their own the owner may.
ROLE_NAMES: Final = frozenset(
    # RFC 2142 sections 3 to 5, and RFC 5321 section 4.5.1.
    {"info", "marketing", "sales", "support", "abuse", "noc", "security"}
    | {"postmaster", "hostmaster", "usenet", "news", "webmaster", "www", "uucp", "ftp"}
    # CA/Browser Forum, Baseline Requirements section 3.2.2.4.4: with these one gets a certificate for the domain.
    | {"admin", "administrator"}
    # In use for the same, by authorities and by the systems that send mail.
    | {"ssladmin", "ssladministrator", "sysadmin", "root", "daemon", "mailer-daemon", "nobody", "noreply", "no-reply"}
)


class AddressStatus(StrEnum):
    ACTIVE = "active"
    INACTIVE = "inactive"


@dataclass(frozen=True, slots=True)
class Address:
    """An address that a customer created."""

    id: str
    account_id: str
    address: str
    label: str
    status: AddressStatus
    created_at: datetime
    changed_at: datetime


def canonical_address(text: str) -> str:
    """The one spelling under which an address is stored and looked up.

    Lower case on the whole (RFC 5321 lets a receiver choose), the domain in A-label form (RFC 5890).
    Raises InvalidInput when `text` is no address: no source route, comment, quoted string or address literal.
    """
    local_part, at, domain = text.rpartition("@")
    if not at or not _DOT_STRING.fullmatch(local_part):
        raise InvalidInput("not an address: expected local-part@domain", field="address")
    address = f"{local_part.lower()}@{canonical_domain(domain)}"
    if len(local_part.encode()) > MAX_LOCAL_PART_BYTES or len(address.encode()) > MAX_ADDRESS_BYTES:
        raise InvalidInput("the address is too long (RFC 5321 section 4.5.3.1)", field="address")
    return address


def canonical_domain(domain: str) -> str:
    """A domain in lower case and A-label form. Raises InvalidInput when it is no domain name."""
    text = domain.lower()
    if not text.isascii():
        text = _to_ascii(text)
    if len(text) > 253 or not _DOMAIN.fullmatch(text):
        raise InvalidInput("not a domain name", field="domain")
    return text


def _to_ascii(domain: str) -> str:
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise InvalidInput("not a domain name", field="domain") from error


def split_subaddress(address: str) -> tuple[str, str | None]:
    """`local+tag@domain` as (`local@domain`, `tag`); without a tag, (`address`, None). Takes a canonical address."""
    local_part, _, domain = address.rpartition("@")
    user, separator, tag = local_part.partition(SUBADDRESS_SEPARATOR)
    if not separator or not user:
        return address, None
    return f"{user}@{domain}", tag
