"""A newcomer: `make run` starts this, prints commands, and the mail is there."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailkeep.testing.samples import SHIPPED, sample_mails
from samples.collection import without_moments
from services.api import logged_in
from services.daemon import wait_until
from services.mailkeep import DOMAIN, Customer, Mailkeep


@pytest.fixture
def newcomer(tmp_path: Path) -> Iterator[Mailkeep]:
    """Nothing but a directory that does not exist yet, and free ports."""
    installation = Mailkeep(tmp_path)
    installation.serve.command.append("--welcome")
    yield installation
    installation.kill()


def _welcomed(installation: Mailkeep, kind: str = "send") -> tuple[Customer, str]:
    """What the welcome says: the customer to log in as, and the command that sends a mail, or the samples."""
    wait_until(lambda: "Ctrl-C" in installation.serve.log(), what="no welcome was printed")
    log = installation.serve.log()
    log = log[log.rindex("Mailkeep is running") :]

    def after(label: str) -> str:
        found = re.search(rf"{label}: +(\S+)", log)
        assert found is not None, log
        return found[1]

    command = re.search(rf"^ +(\S*mailkeep mail {kind} .*)$", log, re.MULTILINE)
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


async def test_the_samples_show_what_there_is_to_see(newcomer: Mailkeep) -> None:
    """Each is accepted, has its line, and is in the inbox; what is refused is complained about."""
    newcomer.start_serve()
    customer, command = _welcomed(newcomer, "samples")

    *lines, last = _run(command).splitlines()
    assert [line.partition(":")[0] for line in lines] == list(SHIPPED)
    assert last == f"{len(SHIPPED)} of {len(SHIPPED)} accepted for {customer.address}"
    async with logged_in(newcomer.url, customer) as client:
        listed = await client.wait_for_messages(len(SHIPPED))
        seen = {name: await client.call("GET", f"/api/v1/messages/{message['id']}") for name, message in _named(listed)}
        assert "来週の会議について" in seen["japanese"]["subject"]
        assert [file["filename"] for file in seen["invoice"]["attachments"]] == ["invoice-2026-0317.pdf"]
        assert seen["phishing"]["from"]["address"] == "k3j2@attacker.test"
        sources = [await client.source(message["id"]) for message in listed]
    newest = [without_moments(source) for source in sources]
    assert newest[::-1] == [without_moments(sample.source) for sample in sample_mails()]

    refused = newcomer.command("mail", "samples", "--to", f"nobody@{DOMAIN}")
    assert (refused.returncode, refused.stdout) == (1, f"0 of {len(SHIPPED)} accepted for nobody@{DOMAIN}\n")
    assert [line.partition(": refused: 550 ")[0] for line in refused.stderr.splitlines()] == list(SHIPPED)
    newcomer.stop()


def _named(listed: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    return list(zip(SHIPPED, listed[::-1], strict=True))


def _run(command: str) -> str:
    done = subprocess.run(shlex.split(command), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
