"""A mailbox as a header names it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A name and an addr-spec, decoded (RFC 5322 section 3.4); either may be empty."""

    name: str
    address: str
