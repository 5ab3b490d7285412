"""Doing what a request asks once, however often it is sent.

A key is claimed before the deed and its answer kept after it. In between, the transaction of the deed itself marks the
key as done (`AuditTrail.write` does it, which is part of every such transaction): so when the program ends half way,
the next request with the key is done exactly if the first one was not.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Final

from mailkeep.domain.clock import Clock
from mailkeep.domain.idempotency import Claim, KeptAnswer
from mailkeep.storage import accounts, idempotency_keys
from mailkeep.storage.database import Database

KEPT: Final = timedelta(hours=24)
MAX_KEYS: Final = 10_000  # of an account; beyond that the oldest are forgotten
EXPIRY_EVERY_S: Final = 60.0
EXPIRED_AT_ONCE: Final = 500


class Idempotency:
    """Keys of accounts, given as SHA-256 in hex."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._expired_at = float("-inf")

    async def claim(self, account_id: str, key_sha256: str, *, fingerprint: str) -> Claim | None:
        """None: the key is the caller's, who does the deed now. Else what is known of its first use.

        Raises NotFound when the account was deleted meanwhile.
        """
        now = self._clock()
        async with self._database.write() as connection:
            # Two requests with one key wait for each other here.
            await accounts.lock_one(connection, account_id)
            found = await idempotency_keys.get(connection, account_id, key_sha256, now=now)
            if found is not None and (found.is_done or found.is_under_way):
                return found
            await idempotency_keys.claim(
                connection, account_id, key_sha256, fingerprint=fingerprint, now=now, expires_at=now + KEPT
            )
            await idempotency_keys.trim(connection, account_id, keep_count=MAX_KEYS)
        if time.monotonic() - self._expired_at > EXPIRY_EVERY_S:
            self._expired_at = time.monotonic()
            await self.remove_expired()
        return None

    async def keep(self, account_id: str, key_sha256: str, answer: KeptAnswer) -> None:
        async with self._database.write() as connection:
            await idempotency_keys.keep(connection, account_id, key_sha256, answer)

    async def release(self, account_id: str, key_sha256: str) -> None:
        """The deed failed: the key can be used again. Does nothing when it was done after all."""
        async with self._database.write() as connection:
            await idempotency_keys.release(connection, account_id, key_sha256)

    async def remove_expired(self, *, limit: int = EXPIRED_AT_ONCE) -> int:
        """Remove some of what has expired; returns how many. `claim` does it too, once a minute."""
        async with self._database.write() as connection:
            return await idempotency_keys.remove_expired(connection, now=self._clock(), limit=limit)
