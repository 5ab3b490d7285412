"""The keys that sign sessions: one that signs, and for the time of a rotation the one before, which is accepted still.

They are in a file of the data directory, a line each, the newest first; or in the settings, for installations on
several hosts. A process notices within a second or two that the file has changed.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import structlog

from mailkeep.errors import ConfigurationError

SECRET_BYTES: Final = 32
LOOK_EVERY_S: Final = 1.0
# By then every process has seen a new key. Until then the one before signs, which all of them know.
IN_FORCE_AFTER_S: Final = 2.5

log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class SessionKey:
    """A secret, and the name by which a token says that it was signed with it (`kid`, RFC 7515 section 4.1.4)."""

    secret: bytes
    kid: str

    @classmethod
    def of(cls, secret: bytes) -> SessionKey:
        return cls(secret, hashlib.sha256(b"mailkeep session key\0" + secret).hexdigest()[:16])


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys that are accepted, and which of them signs."""

    accepted: tuple[SessionKey, ...]
    signing: SessionKey


class SessionKeys(Protocol):
    """Where the keys are."""

    async def ring(self) -> KeyRing:
        """As they are now, or were a second ago."""

    async def rotate(self, *, drop_previous: bool) -> None:
        """A new key signs from now on; the one before is accepted still, unless it is dropped.

        Raises ConfigurationError where keys are not ours to change.
        """


class ConfiguredKeys:
    """Keys out of the settings."""

    def __init__(self, secret: bytes, previous: bytes | None) -> None:
        accepted = tuple(SessionKey.of(each) for each in (secret, previous) if each is not None)
        self._ring = KeyRing(accepted, accepted[0])

    async def ring(self) -> KeyRing:
        return self._ring

    async def rotate(self, *, drop_previous: bool) -> None:
        raise ConfigurationError(
            "the key is in the settings: set auth.previous_secret to what auth.secret is now, auth.secret to a new "
            "one, and start again"
        )


class KeyFile:
    """Keys out of a file. Raises ConfigurationError when it is damaged."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mark = _mark(path)
        self._keys = _read(path)
        self._looked_at = time.monotonic()

    async def ring(self) -> KeyRing:
        if time.monotonic() - self._looked_at >= LOOK_EVERY_S:
            self._looked_at = time.monotonic()
            await asyncio.to_thread(self._look)
        age_s = time.time() - self._mark[0] / 1e9
        fresh = 0 <= age_s < IN_FORCE_AFTER_S
        return KeyRing(self._keys, self._keys[-1 if fresh else 0])

    async def rotate(self, *, drop_previous: bool) -> None:
        await asyncio.to_thread(_rotate, self._path, drop_previous=drop_previous)
        await asyncio.to_thread(self._look)

    def _look(self) -> None:
        """Read the file when it is another one. While it is damaged the keys stay as they are."""
        try:
            mark = _mark(self._path)
            if mark != self._mark:
                self._keys, self._mark = _read(self._path), mark
                log.info("session_keys.changed", keys=len(self._keys))
        except (OSError, ConfigurationError) as error:
            log.exception("session_keys.unreadable", error=type(error).__name__)


def _mark(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_ino, status.st_size


def _read(path: Path) -> tuple[SessionKey, ...]:
    """One key, or two. What is not lines of text is one secret as it is, as whoever put it there wants it."""
    content = path.read_bytes()
    found = [line for line in map(bytes.strip, content.split(b"\n")) if line] if content.isascii() else [content]
    if not 1 <= len(found) <= 2 or any(len(secret) < SECRET_BYTES for secret in found):
        raise ConfigurationError(f"{path} is damaged: remove it to have a new one made, which ends all sessions")
    return tuple(map(SessionKey.of, found))


def _rotate(path: Path, *, drop_previous: bool) -> None:
    """Replaced whole, so that nobody reads half of it."""
    kept = [] if drop_previous else [_read(path)[0].secret]
    if not all(secret.isascii() for secret in kept):
        raise ConfigurationError(f"the key in {path} is not a line of text and cannot be kept: drop it")
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(b"\n".join([secrets.token_hex(SECRET_BYTES).encode(), *kept]) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
