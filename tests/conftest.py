"""What tests of every room ask for: servers, databases, an installation of Mailkeep.

A server that is missing skips the test that asks for it; with MAILKEEP_TEST_REQUIRE_SERVICES=1 it fails it.
MAILKEEP_TEST_FULL=1 runs the long tests at the size that a release needs.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest
import structlog

from services.clamd import Clamd, running_clamd
from services.mailkeep import DOMAIN, Mailkeep, installed_mailkeep
from services.mariadb import MariaDb, running_mariadb
from services.postfix import Postfix, running_postfix, small_configuration
from services.redis import Redis, running_redis
from services.required import required

MEASURED: Final = pytest.StashKey[list[str]]()


def pytest_configure() -> None:
    """Whoever ends the run ends it as Ctrl-C does: with the servers that it started."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """The command runs in this process and sets up its logging, on a stream that ends with it."""
    before, handlers, level = structlog.get_config(), logging.root.handlers[:], logging.root.level
    yield
    structlog.configure(**before)
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    for name in ("mail", "mail.log"):
        logging.getLogger(name).disabled = False


@pytest.fixture
def report_measured(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Takes what a test measured and does not judge; it stands at the end of the run, with the test's name."""
    lines = request.config.stash.setdefault(MEASURED, [])
    return lambda text: lines.append(f"{request.node.name}: {text}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in config.stash.get(MEASURED, []):
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def full_size() -> bool:
    """Whether long tests run at the size that a release needs."""
    return os.environ.get("MAILKEEP_TEST_FULL") == "1"


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDb]:
    """One server for the session; ask for `database_url` to get a database of your own."""
    with ExitStack() as stack:
        yield required(stack, running_mariadb())


@pytest.fixture
def redis_server() -> Iterator[Redis]:
    """An empty Redis of the test's own."""
    with ExitStack() as stack:
        yield required(stack, running_redis())


@pytest.fixture(scope="session")
def clamd() -> Iterator[Clamd]:
    """One server for the session, which goes on running; it knows the EICAR test file."""
    with ExitStack() as stack:
        yield required(stack, running_clamd())


@pytest.fixture
def own_clamd() -> Iterator[Clamd]:
    """A server of the test's own, which it may stop."""
    with ExitStack() as stack:
        yield required(stack, running_clamd())


@pytest.fixture(params=["sqlite", "mariadb"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database; the test runs once on each engine."""
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path / 'mailkeep.db'}"
        return
    server: MariaDb = request.getfixturevalue("mariadb")
    url = server.create_database()
    yield url
    server.drop_database(url)


@pytest.fixture
def mailkeep_settings() -> dict[str, str]:
    """What an installation sets beside the defaults of the tests; a module that needs other settings overrides it."""
    return {}


@pytest.fixture
def mailkeep(database_url: str, tmp_path: Path, mailkeep_settings: dict[str, str]) -> Iterator[Mailkeep]:
    """An installation with its schema and token, nothing started. What the test starts must end cleanly."""
    with installed_mailkeep(tmp_path, database_url=database_url, settings=mailkeep_settings) as installation:
        yield installation
        sys.stderr.write(installation.logs())  # pytest shows it with a test that failed


@pytest.fixture
def start_postfix() -> Iterator[Callable[..., Postfix]]:
    """Starts a Postfix that hands its mail to the mxd of an installation; `policy=True`: and asks it at RCPT."""
    with ExitStack() as stack:

        def start(installation: Mailkeep, *, policy: bool = False) -> Postfix:
            policy_port = installation.policy_port if policy else None
            configure = small_configuration(domain=DOMAIN, lmtp_port=installation.lmtp_port, policy_port=policy_port)
            return required(stack, running_postfix(configure))

        yield start
