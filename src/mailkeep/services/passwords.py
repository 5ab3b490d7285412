"""Passwords: argon2id, off the event loop, a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Literal

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from mailkeep.errors import InvalidInput, Unavailable
from mailkeep.services.common_passwords import COMMON

Cost = Literal["high", "least"]
MIN_LENGTH: Final = 12
MAX_BYTES: Final = 1024
# Each hash takes 64 MiB for some tens of milliseconds: more at once would be a way to hurt us.
MAX_PARALLEL: Final = 4
# Whoever comes when so many wait would wait for seconds.
MAX_WAITING: Final = 64


def argon2(cost: Cost) -> PasswordHasher:
    """`high`: RFC 9106's second profile; `least`: OWASP's minimum. A log-in renews what was hashed with the other."""
    return PasswordHasher() if cost == "high" else PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


class Hasher:
    """Argon2id, in threads."""

    def __init__(self, cost: Cost) -> None:
        self._hasher = argon2(cost)
        # Verified when the user is unknown, so that the answer takes as long as for a known one.
        self._decoy: str | None = None

    async def hash(self, password: str) -> str:
        """Of any password: see `check_strength`."""
        return await asyncio.to_thread(self._hasher.hash, _bytes(password))

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether they belong together. None stands for an unknown user: always False, in the same time."""
        if self._decoy is None:
            self._decoy = await self.hash("a password that nobody has")
        fits = await asyncio.to_thread(self._verify, password_hash or self._decoy, password)
        return fits and password_hash is not None

    def needs_rehash(self, password_hash: str) -> bool:
        return self._hasher.check_needs_rehash(password_hash)

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, _bytes(password))
        except (VerificationError, InvalidHashError):
            return False


class Passwords:
    """Gives turns at the hasher."""

    def __init__(self, cost: Cost) -> None:
        self._hasher = Hasher(cost)
        self._room = asyncio.Semaphore(MAX_PARALLEL)
        self._waiting = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Hasher]:
        """The hasher, for one hash at a time. Raises Unavailable when too many wait for their turn already."""
        if self._waiting >= MAX_WAITING:
            raise Unavailable("too many passwords wait to be hashed")
        self._waiting += 1
        try:
            await self._room.acquire()
        finally:
            self._waiting -= 1
        try:
            yield self._hasher
        finally:
            self._room.release()


def check_strength(password: str, *, field: str = "password") -> None:
    """Raises InvalidInput. No rules of composition: length, and not what everybody tries first (NIST SP 800-63B)."""
    if len(password) < MIN_LENGTH:
        raise InvalidInput(f"too short: at least {MIN_LENGTH} characters", field=field)
    check_length(password, field=field)
    if password.lower() in COMMON or len(set(password)) < 4:
        raise InvalidInput("too common: it is among the first that anybody tries", field=field)


def check_length(password: str, *, field: str = "password") -> None:
    """Raises InvalidInput for a password too long to be hashed: it is nobody's."""
    if len(password) > MAX_BYTES or len(_bytes(password)) > MAX_BYTES:
        raise InvalidInput(f"too long: at most {MAX_BYTES} bytes", field=field)


def _bytes(password: str) -> bytes:
    return password.encode(errors="surrogatepass")
