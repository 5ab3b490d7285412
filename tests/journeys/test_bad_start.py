"""What an operator gets wrong: one line that says what to do, exit code 2, nothing damaged."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.daemon import free_port
from services.mailkeep import Mailkeep, installed_mailkeep

DAEMONS = ("serve", "api", "mxd")


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Mailkeep]:
    """Nothing has been run yet."""
    installation = Mailkeep(tmp_path)
    yield installation
    installation.kill()


@pytest.fixture
def ready(tmp_path: Path) -> Iterator[Mailkeep]:
    """Ready to start, on SQLite."""
    with installed_mailkeep(tmp_path) as installation:
        yield installation


def require_one_line(installation: Mailkeep, *command: str, says: tuple[str, ...]) -> str:
    """The command ends with code 2 and one line on standard error, which holds each of the words; all it printed."""
    done = installation.command(*command)
    assert done.returncode == 2, f"{done.returncode}: {done.stderr}"
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    for word in says:
        assert word in done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("daemon", "port_of", "setting"),
    [
        ("api", "http_port", "http.listen"),
        ("mxd", "lmtp_port", "lmtp.listen"),
        ("serve", "http_port", "http.listen"),
        ("serve", "lmtp_port", "lmtp.listen"),
        ("serve", "smtp_port", "smtp.listen"),
    ],
)
def test_a_port_in_use(ready: Mailkeep, daemon: str, port_of: str, setting: str) -> None:
    port = getattr(ready, port_of)
    with socket.create_server(("127.0.0.1", port)):
        require_one_line(ready, daemon, says=(str(port), setting))
    ready.start_serve()  # nothing was damaged


@pytest.mark.parametrize("command", [("serve",), ("db", "upgrade")])
def test_a_data_directory_that_cannot_be_made(fresh: Mailkeep, tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "file").write_text("kept")
    fresh.environment["MAILKEEP_DATA_DIR"] = str(tmp_path / "file" / "data")
    require_one_line(fresh, *command, says=(str(tmp_path / "file" / "data"), "data_dir"))
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.parametrize("daemon", DAEMONS)
def test_an_unknown_key_in_the_file(fresh: Mailkeep, tmp_path: Path, daemon: str) -> None:
    configuration = tmp_path / "mailkeep.toml"
    configuration.write_text('[lmtp]\nlisen = "127.0.0.1:8024"\n')
    fresh.environment["MAILKEEP_CONFIG"] = str(configuration)
    require_one_line(fresh, daemon, says=("lmtp.lisen",))
    assert not fresh.data_dir.exists()


def test_an_unknown_key_in_the_environment(fresh: Mailkeep) -> None:
    fresh.environment["MAILKEEP_LMTP__LISEN"] = "127.0.0.1:8024"
    require_one_line(fresh, "mxd", says=("lmtp.lisen", "did you mean listen"))
    assert not fresh.data_dir.exists()


@pytest.mark.parametrize("command", [("serve",), ("api",), ("mxd",), ("db", "upgrade"), ("user", "create", "a@b.test")])
def test_a_database_that_is_down(fresh: Mailkeep, command: tuple[str, ...]) -> None:
    fresh.environment["MAILKEEP_DATABASE__URL"] = f"mysql+aiomysql://mailkeep:secret@127.0.0.1:{free_port()}/mailkeep"
    fresh.environment["MAILKEEP_RECIPIENTS__TOKEN"] = "mk_unused_unused"
    printed = require_one_line(fresh, *command, says=("database",))
    assert "secret" not in printed


@pytest.mark.parametrize("daemon", ["api", "mxd"])
def test_a_schema_that_is_too_old(fresh: Mailkeep, database_url: str, daemon: str) -> None:
    """An empty database is the oldest schema there is. The daemons never upgrade by themselves."""
    fresh.environment["MAILKEEP_DATABASE__URL"] = database_url
    fresh.environment["MAILKEEP_RECIPIENTS__TOKEN"] = "mk_unused_unused"
    require_one_line(fresh, daemon, says=("mailkeep db upgrade",))
    fresh.output("db", "upgrade")
    fresh.set_up()
    fresh.start()
    fresh.stop()
