"""A process that tests start, wait for, stop or kill, with all that it printed at hand when it fails."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

POLL_S: Final = 0.02
PORTS: Final = range(20_000, 32_000)
_given: Final[set[int]] = set()
LOG_TAIL_CHARACTERS: Final = 6_000


class ServiceMissing(Exception):
    """The server is not installed, or may not run here; the message says which and why."""


class ServiceFailed(Exception):
    """A server did not start, stop or answer in time; the message holds the end of its log."""


def find_program(name: str) -> str:
    """The path of a program, system directories included. Raises ServiceMissing."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        raise ServiceMissing(f"{name} is not installed")
    return path


def answers(port: int, question: bytes, answer: bytes) -> bool:
    """Whether a server on that loopback port answers so."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(question)
            return connection.recv(100) == answer
    except OSError:
        return False


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on.

    Below the range that the kernel gives to clients: otherwise a client could hold the port when a killed server
    wants it back, or, while nobody listens, be connected to itself. A port is free until the server that it is for
    has started: so each worker of pytest-xdist has ports of its own, and gives none of them twice.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    own = PORTS[worker :: int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))]
    for port in random.sample(own, len(own)):
        if port in _given:
            continue
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            _given.add(port)
            return port
    raise ServiceFailed(f"no free port in {PORTS}")


def accepts_connections(port: int) -> bool:
    """Whether somebody listens on this loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(condition: Callable[[], bool], *, what: str, timeout_s: float = 30) -> None:
    """Look until `condition` holds. Raises ServiceFailed when it does not within `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise ServiceFailed(f"waited {timeout_s:g} s in vain: {what}")
        time.sleep(POLL_S)


def kill_group(group: int) -> None:
    """SIGKILL to a process group, which may have ended already."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


class Daemon:
    """A process in a process group of its own; `log_path` takes its output, of every start."""

    def __init__(
        self, command: Sequence[str | Path], *, log_path: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.command = [str(word) for word in command]
        self.log_path = log_path
        self.environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Raises ServiceFailed when it was never started."""
        if self._process is None:
            raise ServiceFailed(f"not started: {self.command}")
        return self._process.pid

    def log(self) -> str:
        """All that it printed so far."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def start(self) -> None:
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environment,
                start_new_session=True,
            )

    def wait_ready(self, ready: Callable[[], bool], *, timeout_s: float = 30) -> None:
        """Wait until `ready` holds. Raises ServiceFailed, with the log, when the process ends or the time is up."""
        try:
            wait_until(lambda: not self.running or ready(), what="not ready", timeout_s=timeout_s)
        except ServiceFailed as error:
            self.kill()
            raise self._failed(str(error)) from None
        if not self.running:
            raise self._failed("ended at start")

    def stop(self, *, timeout_s: float = 30) -> int:
        """SIGTERM; the exit code. Raises ServiceFailed, after killing it, when it does not end in time."""
        if self._process is None:
            return 0
        if self.running:
            self._process.terminate()
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise self._failed(f"did not end within {timeout_s:g} s of SIGTERM") from None

    def send_signal(self, number: int) -> None:
        """To the process alone. Raises ProcessLookupError."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL to the process and its children, whether or not they run."""
        if self._process is None:
            return
        kill_group(self._process.pid)
        self._process.wait()

    def _failed(self, what: str) -> ServiceFailed:
        return ServiceFailed(f"{' '.join(self.command)}: {what}\n{self.log()[-LOG_TAIL_CHARACTERS:]}")
