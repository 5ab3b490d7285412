"""A Redis of our own, which keeps nothing on disk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.daemon import Daemon, answers, find_program, free_port


class Redis:
    """A server on a loopback port. It can be stopped, killed and started again; it then has forgotten everything."""

    def __init__(self, directory: Path) -> None:
        """Raises ServiceMissing."""
        self.port = free_port()
        options = {"--bind": "127.0.0.1", "--port": str(self.port), "--save": "", "--appendonly": "no"}
        command = [find_program("redis-server"), *(word for option in options.items() for word in option)]
        self.daemon = Daemon([*command, "--dir", str(directory)], log_path=directory / "redis.log")

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        self.daemon.start()
        self.daemon.wait_ready(self._answers)

    def _answers(self) -> bool:
        return answers(self.port, b"PING\r\n", b"+PONG\r\n")


@contextmanager
def running_redis() -> Iterator[Redis]:
    """A started server, ended and removed at the end. Raises ServiceMissing, ServiceFailed."""
    with tempfile.TemporaryDirectory(prefix="mailkeep-redis-") as directory:
        server = Redis(Path(directory))
        try:
            server.start()
            yield server
        finally:
            server.daemon.kill()
