"""A newcomer: `make run` starts this, prints a command, and the mail is there."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.api import logged_in
from services.daemon import wait_until
from services.mailkeep import Customer, Mailkeep


@pytest.fixture
def newcomer(tmp_path: Path) -> Iterator[Mailkeep]:
    """Nothing but a directory that does not exist yet, and free ports."""
    installation = Mailkeep(tmp_path)
    installation.serve.command.append("--welcome")
    yield installation
    installation.kill()


def _welcomed(installation: Mailkeep) -> tuple[Customer, str]:
    """What the welcome says: the customer to log in as, and the command that sends a mail."""
    wait_until(lambda: "Ctrl-C" in installation.serve.log(), what="no welcome was printed")
    log = installation.serve.log()
    log = log[log.rindex("Mailkeep is running") :]

    def after(label: str) -> str:
        found = re.search(rf"{label}: +(\S+)", log)
        assert found is not None, log
        return found[1]

    command = re.search(r"^ +(\S*mailkeep mail send .*)$", log, re.MULTILINE)
    assert command is not None, log
    customer = Customer("", after("Log in"), after("Password"), after("Your address"))
    return customer, command[1]


async def test_the_printed_command_sends_a_mail_that_the_printed_log_in_sees(newcomer: Mailkeep) -> None:
    newcomer.start_serve()
    customer, command = _welcomed(newcomer)

    _run(command)
    async with logged_in(newcomer.url, customer) as client:
        [message] = await client.wait_for_messages(1)
    assert message["address"] == customer.address

    newcomer.stop()
    newcomer.start_serve()
    newcomer.stop()
    assert _welcomed(newcomer)[0] == customer  # the same one at the next start, with the mail still there


def _run(command: str) -> None:
    done = subprocess.run(shlex.split(command), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
