"""A MariaDB of our own, with the durability of production: a commit is on disk before it is answered."""

from __future__ import annotations

import getpass
import itertools
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import pymysql

from services.daemon import Daemon, ServiceFailed, find_program, free_port

USER: Final = "mailkeep"
PASSWORD: Final = "only-on-loopback"
INIT_SQL: Final = (
    f"CREATE USER IF NOT EXISTS '{USER}'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
    f"GRANT ALL ON *.* TO '{USER}'@'127.0.0.1';\n"
)


class MariaDb:
    """A server on a loopback port. It can be stopped, killed and started again on the same data."""

    def __init__(self, directory: Path) -> None:
        """Raises ServiceMissing, ServiceFailed."""
        self.port = free_port()
        self._numbers = itertools.count(1)
        data = directory / "data"
        init_file = directory / "init.sql"
        init_file.write_text(INIT_SQL)
        _install(data)
        self.daemon = Daemon(
            [
                find_program("mariadbd"),
                "--no-defaults",
                f"--user={getpass.getuser()}",
                f"--datadir={data}",
                f"--socket={directory / 'mariadb.sock'}",
                f"--pid-file={directory / 'mariadb.pid'}",
                f"--init-file={init_file}",
                "--bind-address=127.0.0.1",
                f"--port={self.port}",
                "--skip-name-resolve",
                "--character-set-server=utf8mb4",
                "--innodb-flush-log-at-trx-commit=1",
            ],
            log_path=directory / "mariadb.log",
        )

    def start(self) -> None:
        self.daemon.start()
        self.daemon.wait_ready(self._answers)

    def create_database(self) -> str:
        """A new, empty database; its URL."""
        name = f"mailkeep_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return f"mysql+aiomysql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{name}"

    def drop_database(self, url: str) -> None:
        self.execute(f"DROP DATABASE IF EXISTS {url.rpartition('/')[2]}")

    def execute(self, sql: str) -> None:
        with closing(self._connect()) as connection, connection.cursor() as cursor:
            cursor.execute(sql)

    def _connect(self) -> pymysql.connections.Connection:
        return pymysql.connect(host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, connect_timeout=2)

    def _answers(self) -> bool:
        try:
            self.execute("SELECT 1")
        except pymysql.err.OperationalError:
            return False
        return True


def _install(data: Path) -> None:
    """The system tables of an empty server."""
    done = subprocess.run(
        [
            find_program("mariadb-install-db"),
            "--no-defaults",
            f"--user={getpass.getuser()}",
            f"--datadir={data}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode != 0:
        raise ServiceFailed(f"mariadb-install-db: {done.stdout}{done.stderr}")


@contextmanager
def running_mariadb() -> Iterator[MariaDb]:
    """A started server, ended and removed at the end. Raises ServiceMissing, ServiceFailed."""
    # Not pytest's tmp_path: the path of a unix socket has at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="mailkeep-mariadb-") as directory:
        server = MariaDb(Path(directory))
        try:
            server.start()
            yield server
        finally:
            server.daemon.kill()
