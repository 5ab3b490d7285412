"""Disks of a test's own: one that can be filled, and one whose power can fail. Both need root and mounts (Linux)."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.daemon import ServiceMissing, find_program

PAGE_BYTES: Final = 4096
# The journal is committed when somebody asks for it, and not by itself while a test runs.
EXT4_OPTIONS: Final = "loop,noatime,commit=300"


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A directory that can be full."""

    path: Path

    @property
    def _ballast(self) -> Path:
        return self.path / "ballast"

    def fill(self, *, free_pages: int) -> None:
        """Leave room for so many pages of 4096 bytes."""
        self.make_room()
        with self._ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, (self._free_pages() - free_pages) * PAGE_BYTES))

    def make_room(self) -> None:
        self._ballast.unlink(missing_ok=True)

    def _free_pages(self) -> int:
        state = os.statvfs(self.path)
        return state.f_bavail * state.f_frsize // PAGE_BYTES


@contextmanager
def small_disk(directory: Path, *, size_bytes: int) -> Iterator[SmallDisk]:
    """Mounted on `directory`. Raises ServiceMissing."""
    with _mounted(["-t", "tmpfs", "-o", f"size={size_bytes},mode=0700", "tmpfs"], directory):
        yield SmallDisk(directory)


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system on a block device that is a file. What only the system's memory holds is not in the file."""

    path: Path
    image: Path

    def sync(self) -> None:
        """All that has been written is on the device."""
        _run("sync", "--file-system", str(self.path))

    def as_after_a_power_cut(self, image: Path) -> None:
        """Copy the device as it is now. Nobody may be writing."""
        shutil.copyfile(self.image, image)


@contextmanager
def new_disk(image: Path, directory: Path, *, size_bytes: int) -> Iterator[Disk]:
    """An empty ext4, mounted on `directory`. Raises ServiceMissing."""
    with image.open("wb") as file:
        file.truncate(size_bytes)
    _run("mkfs.ext4", "-q", "-F", str(image))
    with disk(image, directory) as made:
        yield made


@contextmanager
def disk(image: Path, directory: Path) -> Iterator[Disk]:
    """What an image holds, mounted on `directory`; the journal is replayed. Raises ServiceMissing."""
    with _mounted(["-o", EXT4_OPTIONS, str(image)], directory):
        yield Disk(directory, image)


@contextmanager
def _mounted(what: list[str], directory: Path) -> Iterator[None]:
    directory.mkdir()
    _run("mount", *what, str(directory))
    try:
        yield
    finally:
        # Lazy: also when a process that was killed has not yet let go of its files.
        _run("umount", "--lazy", str(directory))


def _run(name: str, *arguments: str) -> None:
    done = subprocess.run([find_program(name), *arguments], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise ServiceMissing(f"{name} may not run here: {done.stderr.strip()}")
