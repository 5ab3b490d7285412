"""Mailkeep behind a Postfix with the configuration that we ship, and SMTP as its clients speak it."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.mailkeep import Customer, Mailkeep, installed_mailkeep, wait_for_recipient
from services.postfix import Postfix, running_postfix, shipped_configuration
from services.required import required

HOSTNAME: Final = "mx.mail.test"
CLIENT: Final = "client.test"
SENDER: Final = "sender@client.test"

# Tests come from one client, and fast; the tests of the limits set them back.
UNLIMITED: Final = {"smtpd_client_event_limit_exceptions": "127.0.0.0/8"}


@dataclass(frozen=True, slots=True)
class House:
    """The API and mxd run, mxd knows the customer's address, and Postfix hands its mail to mxd."""

    mailkeep: Mailkeep
    postfix: Postfix
    customer: Customer

    def smtp(self) -> smtplib.SMTP:
        """A client that has said EHLO."""
        client = smtplib.SMTP("127.0.0.1", self.postfix.port, local_hostname=CLIENT, timeout=30)
        client.ehlo()
        return client

    def send(self, content: bytes, *recipients: str, sender: str = SENDER) -> None:
        """One message, to the customer unless said otherwise. Raises SMTPException when it is refused."""
        with self.smtp() as client:
            client.sendmail(sender, recipients or (self.customer.address,), content)

    def require_nothing_taken(self) -> None:
        """Postfix holds no mail, and made none."""
        assert self.postfix.queue() == []
        self.postfix.catch_up()
        assert "status=bounced" not in self.postfix.log()
        assert "postfix/bounce" not in self.postfix.log()


@contextmanager
def shipped_postfix(
    installation: Mailkeep, *arguments: str, overrides: Mapping[str, str] = UNLIMITED
) -> Iterator[Postfix]:
    """A Postfix as `mailkeep postfix config` with `arguments` writes it for this installation; or no test."""

    def generate(directory: Path) -> None:
        installation.output("postfix", "config", f"--hostname={HOSTNAME}", f"--directory={directory}", *arguments)

    with ExitStack() as stack:
        yield required(stack, running_postfix(shipped_configuration(generate, overrides=overrides)))


@contextmanager
def shipped_house(
    directory: Path,
    *,
    settings: Mapping[str, str] | None = None,
    arguments: Sequence[str] = ("--mode=one-machine",),
    overrides: Mapping[str, str] = UNLIMITED,
) -> Iterator[House]:
    """All of it, started; or no test."""
    with (
        installed_mailkeep(directory, settings=settings) as installation,
        shipped_postfix(installation, *arguments, overrides=overrides) as postfix,
    ):
        customer = installation.create_customer("alice@customer.test")
        installation.start()
        wait_for_recipient(installation, customer.address)
        yield House(mailkeep=installation, postfix=postfix, customer=customer)
