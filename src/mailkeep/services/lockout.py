"""Who fails to log in has to wait, longer each time; and so many registrations an hour are enough.

Failures are counted for the account, by the e-mail address as it was typed, whether it is anybody's or not; and for
the client's address. The wait for an account is short: by failing on purpose one can hold its owner back for half a
minute, not lock him out. The wait for a client is long. Where somebody logged in before, only failures from there
with that e-mail address count: strangers cannot hold him back at all.

The counts are in the database, so that several processes agree and a restart forgets nothing.
"""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.domain.client import network_of
from mailkeep.domain.clock import Clock
from mailkeep.errors import RateExceeded
from mailkeep.storage import attempts
from mailkeep.storage.attempts import Tries
from mailkeep.storage.database import Database

# Without a failure for that long, the count begins anew.
FORGET_AFTER: Final = timedelta(hours=1)
DEVICE_KNOWN_FOR: Final = timedelta(days=90)
HOUR_S: Final = 3600
EXPIRY_EVERY_S: Final = 60.0
EXPIRED_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Patience:
    """So many failures cost nothing; from then on there is a wait of 1, 2, 4, … seconds, up to the longest."""

    free: int
    longest_s: int

    def wait_s(self, failures: int) -> int:
        return 0 if failures < self.free else min(self.longest_s, 2 ** min(failures - self.free, 30))


WITH_ACCOUNT: Final = Patience(free=5, longest_s=30)
WITH_CLIENT: Final = Patience(free=10, longest_s=900)
WITH_DEVICE: Final = Patience(free=5, longest_s=900)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A log-in under way, as what it is counted by: digests, because an e-mail address may be anybody's."""

    account: str
    client: str
    device: str

    @classmethod
    def of(cls, email: str, client_ip: str) -> Attempt:
        """`client_ip` is empty when there is none: all such clients are one."""
        email, client = email.strip().lower(), network_of(client_ip)
        return cls(_digest("account", email), _digest("client", client), _digest("device", email, client))


class Lockout:
    """Counts, and says when it is enough."""

    def __init__(self, database: Database, *, registrations_per_hour: int, clock: Clock) -> None:
        self._database = database
        self._registrations_per_hour = registrations_per_hour
        self._clock = clock
        self._expired_at = float("-inf")

    async def check(self, connection: AsyncConnection, attempt: Attempt) -> None:
        """Raises RateExceeded when it is too early for another try; nothing is counted."""
        now = self._clock()
        found = await attempts.load(connection, (attempt.account, attempt.client, attempt.device), now=now)
        if attempt.device in found:
            wait_s = _left_s(found[attempt.device], WITH_DEVICE, now)
        else:
            of_account = _left_s(found.get(attempt.account), WITH_ACCOUNT, now)
            wait_s = max(of_account, _left_s(found.get(attempt.client), WITH_CLIENT, now))
        if wait_s > 0:
            raise RateExceeded("too many failed log-ins", retry_after_s=math.ceil(wait_s))

    async def failed(self, attempt: Attempt) -> None:
        """Count a failure."""
        now = self._clock()
        forget_before = now - FORGET_AFTER
        async with self._database.write() as connection:
            await attempts.add(
                connection,
                (attempt.account, attempt.client),
                now=now,
                forget_before=forget_before,
                expires_at=now + FORGET_AFTER,
            )
            await attempts.add_to_known(connection, attempt.device, now=now, forget_before=forget_before)
        await self._clean()

    async def succeeded(self, attempt: Attempt) -> None:
        """The account's failures are forgotten, the client's are not: it may hold an account of its own."""
        now = self._clock()
        async with self._database.write() as connection:
            await attempts.remove(connection, attempt.account)
            await attempts.begin(connection, attempt.device, now=now, expires_at=now + DEVICE_KNOWN_FOR)

    async def check_registration(self, connection: AsyncConnection, client_ip: str) -> None:
        """Raises RateExceeded when the client has had its registrations of the hour: before a password is hashed."""
        now = self._clock()
        digest = _registrations_of(client_ip, now)
        found = await attempts.load(connection, (digest,), now=now)
        if digest in found and found[digest].count >= self._registrations_per_hour:
            raise _too_many_registrations(now)

    async def count_registration(self, connection: AsyncConnection, client_ip: str) -> None:
        """Count one for the client, within the caller's transaction. Raises RateExceeded beyond the limit an hour."""
        now = self._clock()
        digest = _registrations_of(client_ip, now)
        await attempts.add(
            connection, (digest,), now=now, forget_before=now - 2 * FORGET_AFTER, expires_at=now + FORGET_AFTER
        )
        found = await attempts.load(connection, (digest,), now=now)
        if found[digest].count > self._registrations_per_hour:
            raise _too_many_registrations(now)

    async def _clean(self) -> None:
        if time.monotonic() - self._expired_at > EXPIRY_EVERY_S:
            self._expired_at = time.monotonic()
            async with self._database.write() as connection:
                await attempts.remove_expired(connection, now=self._clock(), limit=EXPIRED_AT_ONCE)


def _registrations_of(client_ip: str, now: datetime) -> str:
    return _digest("registration", network_of(client_ip), str(int(now.timestamp()) // HOUR_S))


def _too_many_registrations(now: datetime) -> RateExceeded:
    return RateExceeded("too many registrations", retry_after_s=HOUR_S - int(now.timestamp()) % HOUR_S)


def _left_s(tries: Tries | None, patience: Patience, now: datetime) -> float:
    """Seconds until another try; 0 for a failure in the future: the clock has been set back since."""
    if tries is None or now - tries.last_at > FORGET_AFTER:
        return 0
    wait_s = patience.wait_s(tries.count)
    left_s = wait_s - (now - tries.last_at).total_seconds()
    return left_s if left_s <= 2 * wait_s else 0


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()
