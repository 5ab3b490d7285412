"""A request that is done once, however often it is sent (draft-ietf-httpapi-idempotency-key-header)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What the first request was answered. `body` is None where it held a secret, which is kept nowhere."""

    status: int
    body: bytes | None
    location: str | None


@dataclass(frozen=True, slots=True)
class Claim:
    """A key that an account has used. `fingerprint` tells requests apart that carry the same key.

    `is_done`: what was asked for is stored. Without an `answer` it is under way, or the program ended in between.
    """

    fingerprint: str
    claimed_at: datetime
    is_done: bool
    answer: KeptAnswer | None
