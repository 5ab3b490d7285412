"""A disk that is full or broken: refused for now, nothing half stored, and all well when the disk is."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import Engine, event
from structlog.testing import capture_logs

from mxd.conversation import Conversation
from mxd.house import House, settings_for

LARGE: Final = "x" * 300_000
ATTACHED: Final = (
    'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: application/pdf\r\n\r\n'
    + LARGE
    + "\r\n--b--"
)


async def deliver(talk: Conversation, content: str, *expected: str) -> None:
    await talk.play([("MAIL FROM:<s@x.test>", "250")])
    await talk.play([(f"RCPT TO:<{name}@here.test>", "250") for name in "ab"])
    await talk.play([("DATA", "354"), (f"{content}\r\n.", *expected)])


def fail(code: int) -> Callable[..., Any]:
    def failing(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    return failing


def open_full(path: str | Path, flags: int, *args: int, **kwargs: Any) -> int:
    """Every file that is written to is on a full disk."""
    return os_open("/dev/full" if flags & os.O_WRONLY else path, flags & ~(os.O_CREAT | os.O_EXCL), *args, **kwargs)


os_open: Final = os.open
FAULTS: Final[dict[str, tuple[object, str, Callable[..., Any]]]] = {
    "making the file": (os, "open", fail(errno.ENOSPC)),
    "writing": (os, "open", open_full),
    "fsync, full": (os, "fsync", fail(errno.ENOSPC)),
    "fsync, broken": (os, "fsync", fail(errno.EIO)),
    "rename": (Path, "replace", fail(errno.ENOSPC)),
    "read-only": (Path, "replace", fail(errno.EROFS)),
}


@pytest.mark.parametrize("content", ["Subject: small\r\n\r\nx", LARGE, ATTACHED], ids=["small", "large", "attached"])
@pytest.mark.parametrize("fault", FAULTS)
async def test_attack_065_066_a_disk_that_fails_means_later(
    lmtp: Conversation, house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, content: str
) -> None:
    holder, name, failing = FAULTS[fault]
    with monkeypatch.context() as broken:
        broken.setattr(holder, name, failing)
        with capture_logs() as logs:
            await deliver(lmtp, content, "451 4.3.0", "451 4.3.0")
    alarms = [entry for entry in logs if entry["log_level"] == "error"]
    assert [(alarm["event"], alarm["reason"]) for alarm in alarms] == [("message.deferred", "StorageUnavailable")]
    assert alarms[0]["system_says"] in {os.strerror(code) for code in (errno.ENOSPC, errno.EIO, errno.EROFS)}
    assert await house.messages() == []
    await deliver(lmtp, content, "250", "250")
    messages = await house.messages()
    assert [message.address for message in messages] == ["a@here.test", "b@here.test"]
    assert await house.source(messages[0]) == f"{content}\r\n".encode()
    assert list((settings_for(tmp_path).blob_dir / "tmp").iterdir()) == []


async def test_attack_065_a_full_database_means_later(lmtp: Conversation, house: House) -> None:
    engine = house.core.database.engine.sync_engine
    with every_connection(engine, "PRAGMA max_page_count=1"):  # SQLite takes the pages that it has for the least
        await deliver(lmtp, LARGE, "451 4.3.0", "451 4.3.0")
        assert await house.messages() == []
    with every_connection(engine, "PRAGMA max_page_count=1073741823"):
        await deliver(lmtp, LARGE, "250", "250")
    assert len(await house.messages()) == 2


@contextmanager
def every_connection(engine: Engine, statement: str) -> Iterator[None]:
    """Say it on whichever connection of the pool is taken."""

    def say(connection: Any, *_: object) -> None:
        connection.execute(statement).close()

    event.listen(engine, "checkout", say)
    try:
        yield
    finally:
        event.remove(engine, "checkout", say)


async def test_attack_065_a_blob_directory_that_comes_back(lmtp: Conversation, house: House, tmp_path: Path) -> None:
    """A volume that was not mounted, and is now."""
    blobs = settings_for(tmp_path).blob_dir
    shutil.move(blobs, tmp_path / "elsewhere")
    await deliver(lmtp, LARGE, "451 4.3.0", "451 4.3.0")
    shutil.move(tmp_path / "elsewhere", blobs)
    await deliver(lmtp, LARGE, "250", "250")
    assert len(await house.messages()) == 2
