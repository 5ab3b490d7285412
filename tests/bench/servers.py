"""The servers that are compared, each with the port, the recipient and the process to measure."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from services.daemon import Daemon, accepts_connections, free_port
from services.mailkeep import installed_mailkeep, wait_for_recipient
from services.mariadb import running_mariadb


@dataclass(frozen=True, slots=True)
class Server:
    """`daemon` is the process that receives the mail."""

    name: str
    port: int
    recipient: str
    daemon: Daemon


@contextmanager
def stock(directory: Path) -> Iterator[Server]:
    """aiosmtpd as it is, discarding the mail."""
    port = free_port()
    daemon = Daemon([sys.executable, "-m", "bench.stock", str(port)], log_path=directory / "stock.log")
    try:
        daemon.start()
        daemon.wait_ready(lambda: accepts_connections(port))
        yield Server("stock aiosmtpd, discards", port, "inbox@mail.test", daemon)
    finally:
        daemon.kill()


@contextmanager
def mailkeep_on_sqlite(directory: Path) -> Iterator[Server]:
    with _mailkeep(directory / "sqlite", name="mailkeep, SQLite", database_url="") as server:
        yield server


@contextmanager
def mailkeep_on_mariadb(directory: Path) -> Iterator[Server]:
    """Raises ServiceMissing."""
    with ExitStack() as stack:
        url = stack.enter_context(running_mariadb()).create_database()
        yield stack.enter_context(_mailkeep(directory / "mariadb", name="mailkeep, MariaDB", database_url=url))


@contextmanager
def _mailkeep(directory: Path, *, name: str, database_url: str) -> Iterator[Server]:
    with installed_mailkeep(directory, database_url=database_url) as installation:
        address = installation.create_customer("bench@customer.test").address
        installation.start_api()
        installation.start_mxd()
        wait_for_recipient(installation, address)
        yield Server(name, installation.lmtp_port, address, installation.mxd)
