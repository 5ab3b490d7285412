"""Blobs as files: temporary name, fsync, rename, fsync of the directory. Directories are 0700 and files 0600."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Final

from mailkeep.domain.ids import new_id
from mailkeep.errors import ConfigurationError, StorageUnavailable
from mailkeep.mail.spool import Spool
from mailkeep.storage.blobs.blob_store import StoredBlob

READ_CHUNK_BYTES: Final = 256 * 1024
# Threads wait for the disk, not for a core; syncs that run together share a commit of the file system's journal.
SYNC_THREADS: Final = 16
LISTED_AT_ONCE: Final = 500
ABANDONED_AFTER_S: Final = 24 * 3600
_TEMPORARY: Final = "tmp"


class FileBlobs:
    """A directory of blobs."""

    def __init__(self, root: Path, threads: ThreadPoolExecutor) -> None:
        self._root = root
        self._threads = threads
        self._known_directories: set[Path] = set()

    def spool(self) -> Spool:
        return Spool(self._root / _TEMPORARY)

    async def store(self, spools: Mapping[str, Spool]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._threads, self._store, spools)

    def _store(self, spools: Mapping[str, Spool]) -> None:
        try:
            directories = set()
            for key, spool in spools.items():
                target = self._path(key)
                self._make_directory(target.parent)
                spool.settle(target)
                directories.add(target.parent)
            for directory in directories:
                _sync_directory(directory)
        except OSError as error:
            self._known_directories.clear()  # one of them may have been removed
            raise StorageUnavailable(f"the blob store cannot write: {error.strerror}") from error

    async def read(self, key: str) -> AsyncGenerator[bytes, None]:
        loop = asyncio.get_running_loop()
        try:
            file = await loop.run_in_executor(self._threads, self._path(key).open, "rb")
        except OSError as error:
            raise StorageUnavailable(f"the blob store has no {key}") from error
        try:
            while chunk := await loop.run_in_executor(self._threads, file.read, READ_CHUNK_BYTES):
                yield chunk
        finally:
            file.close()

    async def delete(self, keys: Collection[str]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._threads, self._delete, keys)

    def _delete(self, keys: Collection[str]) -> None:
        try:
            for key in keys:
                self._path(key).unlink(missing_ok=True)
        except OSError as error:
            raise StorageUnavailable(f"the blob store cannot delete: {error.strerror}") from error

    async def stored(self) -> AsyncGenerator[Sequence[StoredBlob], None]:
        loop, files = asyncio.get_running_loop(), self._walk()
        while page := await loop.run_in_executor(self._threads, _next, files):
            yield page

    async def missing(self, keys: Collection[str]) -> list[str]:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._missing, keys)

    def _missing(self, keys: Collection[str]) -> list[str]:
        try:
            return [key for key in keys if not self._path(key).is_file()]
        except OSError as error:
            raise StorageUnavailable(f"the blob store cannot be read: {error.strerror}") from error

    def _walk(self) -> Iterator[StoredBlob]:
        """Without what is being written, which is not a blob yet."""
        directories = [entry.path for entry in os.scandir(self._root) if entry.is_dir() and entry.name != _TEMPORARY]
        while directories:
            with os.scandir(directories.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        directories.append(entry.path)
                    elif (blob := self._blob(entry)) is not None:
                        yield blob

    def _blob(self, entry: os.DirEntry[str]) -> StoredBlob | None:
        """None when it was removed meanwhile."""
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            return None
        key = Path(entry.path).relative_to(self._root).as_posix()
        return StoredBlob(key, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))

    def _path(self, key: str) -> Path:
        path = self._root / key
        if ".." in path.parts or not path.is_relative_to(self._root):
            raise StorageUnavailable("a blob key that leaves the blob directory")
        return path

    def _make_directory(self, directory: Path) -> None:
        """Make a directory and its parents, each durable in its own parent."""
        if directory in self._known_directories:
            return
        if directory != self._root:
            self._make_directory(directory.parent)
            if not directory.is_dir():
                directory.mkdir(mode=0o700, exist_ok=True)
                _sync_directory(directory.parent)
        self._known_directories.add(directory)


@asynccontextmanager
async def open_files(root: Path) -> AsyncIterator[FileBlobs]:
    """Raises ConfigurationError when the directory cannot be made or written to."""
    try:
        await asyncio.to_thread(_prepare, root)
    except OSError as error:
        raise ConfigurationError(
            f"cannot write to the blob directory {root}: {error.strerror}; set blobs.dir or data_dir"
        ) from error
    with ThreadPoolExecutor(SYNC_THREADS, thread_name_prefix="blobs") as threads:
        yield FileBlobs(root, threads)


def _prepare(root: Path) -> None:
    temporary = root / _TEMPORARY
    temporary.mkdir(mode=0o700, parents=True, exist_ok=True)
    probe = temporary / new_id()
    probe.touch(mode=0o600)
    probe.unlink()
    for path in temporary.iterdir():
        # What a process left behind when it was killed. Another process may be writing the younger ones.
        if path.stat().st_mtime < time.time() - ABANDONED_AFTER_S:
            path.unlink(missing_ok=True)


def _next(files: Iterator[StoredBlob]) -> list[StoredBlob]:
    try:
        return list(islice(files, LISTED_AT_ONCE))
    except OSError as error:
        raise StorageUnavailable(f"the blob store cannot be listed: {error.strerror}") from error


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
