"""Which deliveries were under way when a process died, so that a mail that brings it down is known when it returns.

Each process writes the keys of its deliveries into a small file of its own that is mapped into memory: what is in it
outlives a SIGKILL, and a delivery costs two copies of 32 bytes and one look for a file that is seldom there. The
process holds a lock on its file; the next one to start takes every file whose lock is free, and notes an attempt
for each key in it. A power cut is not of interest, so nothing is synced.
"""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

import structlog

from mailkeep.domain.ids import new_id
from mailkeep.errors import ConfigurationError

KEY_BYTES: Final = 32
EMPTY: Final = bytes(KEY_BYTES)
SLOTS: Final = 1024
# Postfix gives a mail up after five days (maximal_queue_lifetime).
FORGOTTEN_AFTER_S: Final = 6 * 86400
_SUFFIX: Final = ".slots"

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class Underway:
    """The deliveries of one process, and the attempts that ended with the death of one. Calls from any thread."""

    def __init__(self, directory: Path, slots: mmap.mmap) -> None:
        self._directory = directory
        self._slots = slots
        self._free = deque(range(SLOTS))

    def begin(self, key: bytes) -> Mark | None:
        """Note a delivery; None when there are too many to note, which only means that this one is not watched."""
        try:
            slot = self._free.pop()
        except IndexError:
            return None
        self._put(slot, key)
        return Mark(self, slot, key)

    def deaths(self, key: bytes) -> int:
        """How many processes have died over this delivery."""
        try:
            return (self._directory / key.hex()).stat().st_size
        except OSError:
            return 0

    def end(self, slot: int) -> None:
        self._put(slot, EMPTY)
        self._free.append(slot)

    def forget(self, key: bytes) -> None:
        with suppress(OSError):
            (self._directory / key.hex()).unlink(missing_ok=True)

    def _put(self, slot: int, key: bytes) -> None:
        self._slots[slot * KEY_BYTES : (slot + 1) * KEY_BYTES] = key


class Mark:
    """One delivery in the file. `deaths` is how many processes have died over it before."""

    def __init__(self, underway: Underway, slot: int, key: bytes) -> None:
        self.deaths = underway.deaths(key)
        self._underway = underway
        self._slot = slot
        self._key = key
        self._over = False

    def end(self) -> None:
        """This process has survived it. Does nothing a second time."""
        if self._over:
            return
        self._over = True
        self._underway.end(self._slot)
        if self.deaths:
            self._underway.forget(self._key)


def key_of(queue_id: str, mail_from: str) -> bytes:
    """What the client calls the message, and nothing that is in it: it has not been read yet."""
    return hashlib.sha256(f"{queue_id}\n{mail_from}".encode(errors="surrogateescape")).digest()


@contextmanager
def open_underway(directory: Path) -> Iterator[Underway]:
    """Take over what dead processes left, and keep a file of our own. Raises ConfigurationError."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _collect(directory)
        path, file = _make_slots(directory)
    except OSError as error:
        raise ConfigurationError(f"cannot write to {directory}: {error.strerror}; set data_dir") from error
    with file, mmap.mmap(file.fileno(), KEY_BYTES * SLOTS) as slots:
        try:
            yield Underway(directory, slots)
        finally:
            path.unlink(missing_ok=True)


def _make_slots(directory: Path) -> tuple[Path, BinaryIO]:
    """A file of empty slots, which gets its name when it is locked, so that nobody takes it for a dead one's."""
    path = directory / f"{new_id()}{_SUFFIX}"
    fresh = path.with_suffix(".new")
    file = os.fdopen(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600), "r+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        # Written, not only made longer: a page without a place on a full disk would be a SIGBUS.
        file.write(EMPTY * SLOTS)
        file.flush()
        fresh.rename(path)
    except OSError:
        file.close()
        fresh.unlink(missing_ok=True)
        raise
    return path, file


def _collect(directory: Path) -> None:
    """An attempt for each delivery of each process that is dead."""
    for path in directory.iterdir():
        with suppress(FileNotFoundError):  # somebody else starts, and was faster
            if path.suffix == _SUFFIX:
                _collect_slots(path)
            elif time.time() - path.stat().st_mtime > FORGOTTEN_AFTER_S:
                path.unlink()


def _collect_slots(path: Path) -> None:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # its process is alive
        if os.fstat(file.fileno()).st_nlink == 0:
            return  # somebody else has taken it
        keys = _keys(file.read())
        for key in keys:
            _note_death(path.with_name(key.hex()))
        path.unlink()
    if keys:
        log.warning("deliveries.interrupted", deliveries=len(keys))


def _keys(content: bytes) -> set[bytes]:
    found = {content[at : at + KEY_BYTES] for at in range(0, len(content), KEY_BYTES)}
    return {key for key in found if len(key) == KEY_BYTES and key != EMPTY}


def _note_death(path: Path) -> None:
    """A byte for each."""
    with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600), "ab") as file:
        file.write(b".")
