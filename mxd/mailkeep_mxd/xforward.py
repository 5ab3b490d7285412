"""XFORWARD (Postfix XFORWARD_README): whose mail it is that a Postfix of ours hands over."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from mailkeep.domain.message import Transport
from mailkeep_mxd import replies
from mailkeep_mxd.syntax import Rejected

ATTRIBUTES: Final = ("NAME", "ADDR", "PORT", "PROTO", "HELO", "IDENT", "SOURCE")
MAX_VALUE: Final = 255  # characters, decoded (XFORWARD_README note 1)

_ATTRIBUTE: Final = re.compile(r"([A-Za-z]+)=((?:[\x21-\x2a\x2c-\x7e]|\+[0-9A-Fa-f]{2})+)")
_ESCAPED: Final = re.compile(r"\+([0-9A-Fa-f]{2})")
# "Control characters, non-ASCII characters, whitespace, or other characters that are special in message headers."
_SPECIAL: Final = re.compile(r"[^\x21-\x7e]|[()<>@,;\"\\]")
_UNAVAILABLE: Final = "[UNAVAILABLE]"
_FORMS: Final = {
    "PORT": re.compile(r"[0-9]{1,5}"),
    "PROTO": re.compile(r"[\x21-\x7e]{1,64}"),
    "SOURCE": re.compile(r"LOCAL|REMOTE", re.IGNORECASE),
}


@dataclass(frozen=True, slots=True)
class Forwarded:
    """What XFORWARD said since the last message. What it did not say, or said to be unavailable, is empty."""

    name: str = ""
    addr: str = ""
    proto: str = ""
    helo: str = ""
    ident: str = ""

    @property
    def transport(self) -> Transport:
        """Of the sender alone: nothing of the session that forwards it is mixed in (note 4).

        Without an address the message was submitted on the client's own host, and the rest means nothing.
        """
        if not self.addr:
            return Transport()
        return Transport(client_ip=self.addr, client_name=self.name, helo=self.helo, protocol=self.proto)


def updated(before: Forwarded | None, argument: str) -> Forwarded:
    """What is known after one more command: attributes that it does not name keep their values. Raises Rejected."""
    values = dict(_values(argument))
    if not values:
        raise Rejected(replies.BAD_ARGUMENT)
    kept = {name.lower(): value for name, value in values.items() if name not in {"PORT", "SOURCE"}}
    return replace(before or Forwarded(), **kept)


def is_trusted(client_ip: str, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    """Whether a client may say XFORWARD. Over a unix socket it has no address, and is on this machine."""
    address = ip_address(client_ip or "127.0.0.1")
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in networks)


def _values(argument: str) -> Iterator[tuple[str, str]]:
    for word in filter(None, argument.split(" ")):
        match = _ATTRIBUTE.fullmatch(word)
        name = match[1].upper() if match else ""
        if match is None or name not in ATTRIBUTES:
            raise Rejected(replies.BAD_ARGUMENT)
        yield name, _value(name, match[2])


def _value(name: str, xtext: str) -> str:
    """Decoded (RFC 3461 section 4), and harmless wherever it is shown."""
    value = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), xtext)
    if value.upper() == _UNAVAILABLE:
        return ""
    form = _FORMS.get(name)
    if len(value) > MAX_VALUE or (form is not None and not form.fullmatch(value)):
        raise Rejected(replies.BAD_ARGUMENT)
    value = _SPECIAL.sub("?", value)
    # Postfix names an IPv6 address as RFC 5321 section 4.1.3 does in a literal.
    return value[5:] if name == "ADDR" and value.upper().startswith("IPV6:") else value
