"""A clamd of our own with one signature of our own, that of the harmless EICAR test file: no network, no freshclam."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from mailkeep.mail.scan_probes import EICAR
from services.daemon import Daemon, answers, find_program, free_port

SIGNATURE: Final = "Mailkeep.Test.Eicar"
# What clamd calls a signature of somebody's own.
FOUND: Final = f"{SIGNATURE}.UNOFFICIAL"


class Clamd:
    """Listens on a loopback port and on a unix socket. It can be stopped, frozen and started again."""

    def __init__(self, directory: Path, **settings: str) -> None:
        """`settings` are lines of clamd.conf. Raises ServiceMissing."""
        self.port = free_port()
        self.socket = directory / "clamd.sock"
        database = directory / "database"
        database.mkdir()
        # Name, any kind of file, at any place in it, the bytes.
        (database / "test.ndb").write_text(f"{SIGNATURE}:0:*:{EICAR.hex()}\n")
        lines = {
            "Foreground": "yes",
            "DatabaseDirectory": str(database),
            "TemporaryDirectory": str(directory),
            "TCPAddr": "127.0.0.1",
            "TCPSocket": str(self.port),
            "LocalSocket": str(self.socket),
            "FixStaleSocket": "yes",
            **settings,
        }
        configuration = directory / "clamd.conf"
        configuration.write_text("".join(f"{name} {value}\n" for name, value in lines.items()))
        self.daemon = Daemon(
            [find_program("clamd"), f"--config-file={configuration}"], log_path=directory / "clamd.log"
        )

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def unix_place(self) -> str:
        return f"unix:{self.socket}"

    def start(self) -> None:
        self.daemon.start()
        self.daemon.wait_ready(self._answers)

    def _answers(self) -> bool:
        return answers(self.port, b"zPING\0", b"PONG\0")


@contextmanager
def running_clamd(**settings: str) -> Iterator[Clamd]:
    """A started server, ended and removed at the end. Raises ServiceMissing, ServiceFailed."""
    # Not pytest's tmp_path: the path of a unix socket has at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="mailkeep-clamd-") as directory:
        server = Clamd(Path(directory), **settings)
        try:
            server.start()
            yield server
        finally:
            server.daemon.kill()
