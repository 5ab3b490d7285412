"""Passwords: argon2id, off the event loop, a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from mailkeep.errors import InvalidInput
from mailkeep.services.common_passwords import COMMON

Result = TypeVar("Result")

MIN_LENGTH: Final = 12
MAX_BYTES: Final = 1024
# Each hash takes 64 MiB for some tens of milliseconds: more at once would be a way to hurt us.
MAX_PARALLEL: Final = 4


class Passwords:
    """Hashes and verifies; with argon2-cffi's defaults (RFC 9106's second profile), above OWASP's minimum."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._room = asyncio.Semaphore(MAX_PARALLEL)
        # Verified when the user is unknown, so that the answer takes as long as for a known one.
        self._decoy: str | None = None

    async def hash(self, password: str) -> str:
        """Raises InvalidInput for a password that is too short, too long, or among the most common."""
        check_strength(password)
        return await self._in_thread(self._hash, password)

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether they belong together. None stands for an unknown user: always False, in the same time."""
        if len(_bytes(password)) > MAX_BYTES:
            return False
        if self._decoy is None:
            self._decoy = await self._in_thread(self._hash, "a password that nobody has")
        fits = await self._in_thread(self._verify, password_hash or self._decoy, password)
        return fits and password_hash is not None

    def needs_rehash(self, password_hash: str) -> bool:
        return self._hasher.check_needs_rehash(password_hash)

    def _hash(self, password: str) -> str:
        return self._hasher.hash(_bytes(password))

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, _bytes(password))
        except (VerificationError, InvalidHashError):
            return False

    async def _in_thread(self, call: Callable[..., Result], *args: str) -> Result:
        async with self._room:
            return await asyncio.to_thread(call, *args)


def check_strength(password: str) -> None:
    """Raises InvalidInput. No rules of composition: length, and not what everybody tries first (NIST SP 800-63B)."""
    if len(password) < MIN_LENGTH:
        raise InvalidInput(f"too short: at least {MIN_LENGTH} characters", field="password")
    if len(_bytes(password)) > MAX_BYTES:
        raise InvalidInput(f"too long: at most {MAX_BYTES} bytes", field="password")
    if password.lower() in COMMON or len(set(password)) < 4:
        raise InvalidInput("too common: it is among the first that anybody tries", field="password")


def _bytes(password: str) -> bytes:
    return password.encode(errors="surrogatepass")
