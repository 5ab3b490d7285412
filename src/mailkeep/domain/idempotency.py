"""A request that is done once, however often it is sent (draft-ietf-httpapi-idempotency-key-header)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

# Longer than any request may take: what was claimed so long ago has ended without a word.
UNDER_WAY: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What the first request was answered. `body` is None where it held a secret, which is kept nowhere."""

    status: int
    body: bytes | None
    location: str | None


@dataclass(frozen=True, slots=True)
class Claim:
    """A key that an account has used. `fingerprint` tells requests apart that carry the same key.

    `is_done`: what was asked for is stored. With neither an `answer` nor `is_under_way`, the program ended in between.
    """

    fingerprint: str
    is_done: bool
    is_under_way: bool
    answer: KeptAnswer | None
