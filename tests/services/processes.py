"""The processes that a daemon has started, from /proc."""

from __future__ import annotations

from pathlib import Path

from services.daemon import Daemon


def children(daemon: Daemon) -> list[int]:
    """The pids of the processes that it has started and that are there, oldest first."""
    return [int(pid) for pid in Path(f"/proc/{daemon.pid}/task/{daemon.pid}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has asked about does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
