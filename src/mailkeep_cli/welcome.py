"""What `mailkeep serve --welcome` says to somebody who has just arrived."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import typer

from mailkeep.bootstrap import Core
from mailkeep.config import Settings
from mailkeep.domain.account import User
from mailkeep.errors import Conflict, NotAuthenticated
from mailkeep.testing.samples import SHIPPED

FILE_NAME: Final = "welcome.json"


@dataclass(frozen=True, slots=True)
class FirstCustomer:
    """The first customer's log-in and address, kept in the data directory for the next start."""

    email: str
    password: str
    address: str


async def greet(core: Core, settings: Settings) -> None:
    """Make the first customer, once, and print what to do next."""
    customer = await _first_customer(core, settings)
    lines = ["", f"  Mailkeep is running: {settings.public_url}"]
    if customer is not None:
        to = f"--to {customer.address} --smtp {settings.smtp.listen}"
        lines += [
            f"  Log in:              {customer.email}",
            f"  Password:            {customer.password}",
            f"  Your address:        {customer.address}",
            "",
            "  Send it a mail from another terminal, and watch it arrive:",
            "",
            f"    {_command()} mail send {to}",
            "",
            f"  Or {len(SHIPPED)} of the kinds that people receive:",
            "",
            f"    {_command()} mail samples {to}",
        ]
    typer.echo("\n".join([*lines, "", "  Ctrl-C stops it.", ""]))


async def _first_customer(core: Core, settings: Settings) -> FirstCustomer | None:
    """None when this installation's customers are not of our making."""
    path = settings.data_dir / FILE_NAME
    if path.exists():
        customer = FirstCustomer(**json.loads(path.read_text("utf-8")))
        return customer if await _can_log_in(core, customer) is not None else None
    customer_email = f"you@{settings.mail.domain}"
    password = secrets.token_urlsafe(12)
    try:
        made = await core.accounts.register(customer_email, password)
    except Conflict:
        return None
    customer = FirstCustomer(customer_email, password, made.address.address)
    _keep(path, customer)
    return customer


async def _can_log_in(core: Core, customer: FirstCustomer) -> User | None:
    try:
        return await core.accounts.authenticate(customer.email, customer.password)
    except NotAuthenticated:
        return None


def _keep(path: Path, customer: FirstCustomer) -> None:
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
        json.dump(asdict(customer), file)


def _command() -> str:
    """This program as it can be typed from here."""
    program = Path(sys.argv[0]).absolute()
    here = Path.cwd()
    return shlex.quote(str(program.relative_to(here) if program.is_relative_to(here) else program))
