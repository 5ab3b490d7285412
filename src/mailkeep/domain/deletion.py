"""The deletion of an account: what its owner is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

# docs/PRIVACY.md says the same at more length.
KEPT: Final = (
    "the names of the addresses, so that nobody else is ever given one",
    "the audit log, without client addresses and user agents",
    "an empty account, to which these belong",
    "what other customers received, even if it was sent to both",
)


@dataclass(frozen=True, slots=True)
class DeletionReceipt:
    """`id` is the id of the record in the audit log. `deleted`: what it was, and how many there were of it.

    From `deleted_at` on nobody reaches any of it; the bytes are gone soon after (see services/account_purge.py).
    """

    id: str
    account_id: str
    deleted_at: datetime
    deleted: Mapping[str, int]
    kept: tuple[str, ...] = KEPT
