"""The real commands of Mailkeep as processes, on a data directory and ports of their own."""

from __future__ import annotations

import asyncio
import os
import smtplib
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final, TypeVar

from mailkeep.bootstrap import Core, open_core
from mailkeep.domain.scope import Scope, operator
from mailkeep.settings_loader import load_settings
from mailkeep.storage.upgrade import upgrade_schema
from services.daemon import LOG_TAIL_CHARACTERS, Daemon, ServiceFailed, accepts_connections, free_port, wait_until

Result = TypeVar("Result")

COMMAND: Final = Path(sys.executable).with_name("mailkeep")
DOMAIN: Final = "mail.test"
PASSWORD: Final = "correct horse battery staple"

# Tests send more than a customer may, except where a test is about the limit.
GENEROUS: Final = {
    "MAILKEEP_TIERS__FREE__ADDRESSES": "100000",
    "MAILKEEP_TIERS__FREE__RECEIVED_PER_HOUR": "1000000",
    "MAILKEEP_TIERS__FREE__STORAGE_MB": "100000",
    "MAILKEEP_TIERS__FREE__API_REQUESTS_PER_MINUTE": "1000000",
    "MAILKEEP_HTTP__PUBLIC_REQUESTS_PER_MINUTE": "1000000",
}


@dataclass(frozen=True, slots=True)
class Customer:
    """What `mailkeep user create` made."""

    account_id: str
    email: str
    password: str
    address: str


class Mailkeep:
    """One installation. `api` and `mxd` are separate processes, as in production; `serve` is all in one."""

    def __init__(self, directory: Path, *, database_url: str = "", settings: Mapping[str, str] | None = None) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.data_dir = directory / "data"
        self.http_port, self.lmtp_port, self.smtp_port, self.policy_port = (free_port() for _ in range(4))
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("MAILKEEP_")},
            **GENEROUS,
            "MAILKEEP_DATA_DIR": str(self.data_dir),
            "MAILKEEP_DATABASE__URL": database_url,
            "MAILKEEP_HTTP__LISTEN": f"127.0.0.1:{self.http_port}",
            "MAILKEEP_LMTP__LISTEN": f"127.0.0.1:{self.lmtp_port}",
            "MAILKEEP_SMTP__LISTEN": f"127.0.0.1:{self.smtp_port}",
            "MAILKEEP_POLICY__LISTEN": f"127.0.0.1:{self.policy_port}",
            "MAILKEEP_RECIPIENTS__API_URL": self.url,
            "MAILKEEP_MAIL__DOMAIN": DOMAIN,
            "MAILKEEP_AUTH__PASSWORD_COST": "least",
            "MAILKEEP_LOG__FORMAT": "json",
            **(settings or {}),
        }
        self.api = self._daemon("api", directory)
        self.mxd = self._daemon("mxd", directory)
        self.serve = self._daemon("serve", directory)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    def command(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run `mailkeep …` to its end, whatever its exit code."""
        return subprocess.run(
            [COMMAND, *arguments],
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def output(self, *arguments: str, stdin: str | None = None) -> str:
        """What `mailkeep …` prints. Raises ServiceFailed when it fails."""
        done = self.command(*arguments, stdin=stdin)
        if done.returncode != 0:
            raise ServiceFailed(f"mailkeep {' '.join(arguments)}: exit code {done.returncode}\n{done.stderr}")
        return done.stdout

    def set_up(self) -> None:
        """A current schema, and the token by which mxd asks the API for recipients."""
        self._run(upgrade_schema(load_settings(self.environment)))
        self.environment["MAILKEEP_RECIPIENTS__TOKEN"] = self.run_in_core(_policy_token)

    def create_customer(self, email: str) -> Customer:
        made = self.run_in_core(lambda core: core.accounts.register(email, PASSWORD))
        return Customer(account_id=made.account.id, email=email, password=PASSWORD, address=made.address.address)

    def run_in_core(self, work: Callable[[Core], Coroutine[Any, Any, Result]]) -> Result:
        """What `work` returns, done on the installation's own data."""
        return self._run(self._in_core(work))

    async def _in_core(self, work: Callable[[Core], Coroutine[Any, Any, Result]]) -> Result:
        """Work on the installation's own data in this process: a command takes two seconds to load the program.

        The commands themselves are shown by tests/journeys/test_commands.py.
        """
        async with open_core(load_settings(self.environment)) as core:
            return await work(core)

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """In a thread, because the caller may be within an event loop."""
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, work).result()

    def start_api(self) -> None:
        """Raises ServiceFailed when it is not ready in time."""
        self.api.start()
        self.api.wait_ready(self._api_ready)

    def start_mxd(self) -> None:
        """Raises ServiceFailed when it does not listen in time; it may still wait for its first recipients."""
        self.mxd.start()
        self.mxd.wait_ready(lambda: accepts_connections(self.lmtp_port))

    def start(self) -> None:
        """The API and mxd, apart; both at once, because loading the program is what takes long."""
        self.api.start()
        self.mxd.start()
        self.api.wait_ready(self._api_ready)
        self.mxd.wait_ready(lambda: accepts_connections(self.lmtp_port))

    def start_serve(self) -> None:
        self.serve.start()
        ports = (self.lmtp_port, self.smtp_port)
        self.serve.wait_ready(lambda: self._api_ready() and all(accepts_connections(port) for port in ports))

    def stop(self) -> None:
        """SIGTERM to all that runs. Raises ServiceFailed unless each ends in time and with exit code 0."""
        for daemon in (self.mxd, self.api, self.serve):
            if daemon.running and (code := daemon.stop()) != 0:
                raise ServiceFailed(f"{' '.join(daemon.command)}: exit code {code} after SIGTERM\n{daemon.log()}")

    def kill(self) -> None:
        for daemon in (self.mxd, self.api, self.serve):
            daemon.kill()

    def logs(self) -> str:
        """The end of what each process printed."""
        named = {"mxd": self.mxd, "api": self.api, "serve": self.serve}
        return "".join(f"--- {name}\n{daemon.log()[-LOG_TAIL_CHARACTERS:]}" for name, daemon in named.items())

    def _daemon(self, name: str, directory: Path) -> Daemon:
        return Daemon([COMMAND, name], log_path=directory / f"{name}.log", environment=self.environment)

    def _api_ready(self) -> bool:
        try:
            with closing(HTTPConnection("127.0.0.1", self.http_port, timeout=2)) as connection:
                connection.request("GET", "/readyz")
                return connection.getresponse().status == 200
        except (HTTPException, OSError):
            return False


async def _policy_token(core: Core) -> str:
    token, _ = await core.service_tokens.create(operator(), "mxd", {Scope.POLICY})
    return token


@contextmanager
def installed_mailkeep(
    directory: Path, *, database_url: str = "", settings: Mapping[str, str] | None = None
) -> Iterator[Mailkeep]:
    """An installation with its schema and token; whatever it started ends cleanly, or is killed, at the end."""
    installation = Mailkeep(directory, database_url=database_url, settings=settings)
    try:
        installation.set_up()
        yield installation
        installation.stop()
    finally:
        installation.kill()


def wait_for_recipient(installation: Mailkeep, address: str) -> None:
    """Wait until mxd knows an address: it has had an answer from the API."""
    wait_until(lambda: _knows(installation.lmtp_port, address), what="mxd does not know the recipient")


def _knows(port: int, address: str) -> bool:
    try:
        with smtplib.LMTP("127.0.0.1", port) as client:
            client.ehlo_or_helo_if_needed()
            client.mail("")
            return client.rcpt(address)[0] == 250
    except (smtplib.SMTPException, OSError):
        return False
