"""What tests of every room ask for: servers, databases, an installation of Mailkeep.

A server that is missing skips the test that asks for it; with MAILKEEP_TEST_REQUIRE_SERVICES=1 it fails it.
MAILKEEP_TEST_FULL=1 runs the long tests at the size that a release needs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import NoReturn, TypeVar

import pytest

from services.daemon import ServiceMissing
from services.mailkeep import DOMAIN, Mailkeep, installed_mailkeep
from services.mariadb import MariaDb, running_mariadb
from services.postfix import Postfix, running_postfix

Service = TypeVar("Service")


def skip_or_fail(reason: str) -> NoReturn:
    """The test cannot run here: a failure where services are required, a named skip elsewhere."""
    if os.environ.get("MAILKEEP_TEST_REQUIRE_SERVICES") == "1":
        pytest.fail(f"required: {reason}", pytrace=False)
    pytest.skip(reason)


def required(stack: ExitStack, service: AbstractContextManager[Service]) -> Service:
    """The started service, or no test."""
    try:
        return stack.enter_context(service)
    except ServiceMissing as missing:
        skip_or_fail(str(missing))


@pytest.fixture(scope="session")
def full_size() -> bool:
    """Whether long tests run at the size that a release needs."""
    return os.environ.get("MAILKEEP_TEST_FULL") == "1"


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDb]:
    """One server for the session; ask for `database_url` to get a database of your own."""
    with ExitStack() as stack:
        yield required(stack, running_mariadb())


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
def mailkeep(database_url: str, tmp_path: Path) -> Iterator[Mailkeep]:
    """An installation with its schema and token, nothing started. What the test starts must end cleanly."""
    with installed_mailkeep(tmp_path, database_url=database_url) as installation:
        yield installation


@pytest.fixture
def start_postfix() -> Iterator[Callable[[Mailkeep], Postfix]]:
    """Starts a Postfix that hands its mail to the mxd of an installation."""
    with ExitStack() as stack:
        yield lambda installation: required(stack, running_postfix(domain=DOMAIN, lmtp_port=installation.lmtp_port))
