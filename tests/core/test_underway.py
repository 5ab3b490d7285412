"""The record of deliveries that outlives a SIGKILL."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mailkeep.errors import ConfigurationError
from mailkeep.mail.headers import queue_id, queue_id_at
from mailkeep.storage import underway
from mailkeep.storage.underway import key_of, open_underway

POISON = key_of("mx.test/4XyZ1234", "s@x.test")
FINISHED = key_of("mx.test/4XyZ5678", "s@x.test")
DIE_OVER = """
import os, signal, sys
from pathlib import Path
from mailkeep.storage.underway import open_underway
with open_underway(Path(sys.argv[1])) as record:
    record.begin(bytes.fromhex(sys.argv[2])).end()
    record.begin(bytes.fromhex(sys.argv[3]))
    record.begin(bytes.fromhex(sys.argv[3]))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def die_over(directory: Path) -> None:
    """A process that finishes one delivery and is killed over another, which came in two parts."""
    arguments = [sys.executable, "-c", DIE_OVER, str(directory), FINISHED.hex(), POISON.hex()]
    assert subprocess.run(arguments, check=False, timeout=60).returncode == -signal.SIGKILL


def deaths(directory: Path, key: bytes) -> int:
    """How many processes died over it, as a process that starts now sees it."""
    with open_underway(directory) as record:
        return record.deaths(key)


def test_a_death_is_counted_once_for_what_was_under_way(tmp_path: Path) -> None:
    with open_underway(tmp_path) as alive:
        mark = alive.begin(POISON)
        assert mark is not None
        for number in (1, 2):
            die_over(tmp_path)
            assert deaths(tmp_path, POISON) == number
        assert deaths(tmp_path, FINISHED) == 0
        # Whoever runs already sees it too; and what is over in time is forgotten.
        again = alive.begin(POISON)
        assert again is not None
        assert again.deaths == 2
        again.end()
        assert deaths(tmp_path, POISON) == 0
        mark.end()
    assert list(tmp_path.iterdir()) == []


def test_too_many_at_once_are_not_watched(tmp_path: Path) -> None:
    with open_underway(tmp_path) as record:
        marks = [record.begin(POISON) for _ in range(underway.SLOTS)]
        assert record.begin(POISON) is None
        for mark in marks:
            assert mark is not None
            mark.end()
            mark.end()
        assert record.begin(POISON) is not None


def test_old_deaths_and_damaged_files_are_no_trouble(tmp_path: Path) -> None:
    die_over(tmp_path)
    (tmp_path / "cut.slots").write_bytes(POISON + b"x")
    (tmp_path / "empty.slots").touch()
    assert deaths(tmp_path, POISON) == 2
    week_ago = time.time() - 7 * 86400
    os.utime(tmp_path / POISON.hex(), (week_ago, week_ago))
    assert deaths(tmp_path, POISON) == 0


def test_a_directory_that_cannot_be_made_is_a_matter_of_configuration(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="data_dir"), open_underway(tmp_path / "file" / "underway"):
        pass


RECEIVED = "from c.test (c.test [192.0.2.7])\r\n\tby mx.test (Postfix) with ESMTP id 4XyZ1234\r\n\tfor <a@b.test>; x"


@pytest.mark.parametrize(
    "content",
    [
        f"Received: {RECEIVED}\r\nSubject: x\r\n\r\n",
        f"Delivered-To: a@b.test\r\nRECEIVED: {RECEIVED}\r\nReceived: by other.test id 99999999\r\n\r\nReceived: x",
        f"Received: {RECEIVED}",
    ],
)
def test_the_queue_id_is_found_without_parsing(content: str) -> None:
    assert queue_id_at(content.encode()) == "mx.test/4XyZ1234" == queue_id(RECEIVED.replace("\r\n\t", " "))


@pytest.mark.parametrize(
    "content", [b"", b"\r\n", b"Subject: x\r\n\r\nReceived: by mx.test id 4XyZ1234\r\n", b"\xff" * 99]
)
def test_what_has_no_queue_id(content: bytes) -> None:
    assert queue_id_at(content) == ""


def test_noting_a_delivery_costs_next_to_nothing(tmp_path: Path, report_measured: Callable[[str], None]) -> None:
    content = f"Received: {RECEIVED}\r\nSubject: x\r\n\r\n".encode() + b"x" * 8_000
    rounds = 5_000
    with open_underway(tmp_path) as record:
        started = time.process_time()
        for _ in range(rounds):
            mark = record.begin(key_of(queue_id_at(content), "s@x.test"))
            assert mark is not None
            mark.end()
        each_us = (time.process_time() - started) / rounds * 1e6
    assert each_us < 200  # a mail of 8 KB takes over 2,000
    report_measured(f"{each_us:.0f} µs a delivery")
