"""Two hosts on one: a backend with the API and LMTP over TLS, and an MX with Postfix and a policy listener alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from journeys.shipped import House, shipped_postfix
from services.certificates import Authority, Certificate
from services.daemon import accepts_connections, wait_until
from services.mailkeep import Mailkeep, installed_mailkeep
from services.postfix import Postfix
from services.required import required_program

BACKEND: Final = "localhost"


@dataclass(frozen=True, slots=True)
class MxHouse(House):
    """`mailkeep` is the backend, whose mxd shows what `show` was given; `mx` is on the host of Postfix."""

    mx: Mailkeep
    authority: Authority

    def show(self, certificate: Certificate | None) -> None:
        """Start the backend's mxd again with another certificate; None: without TLS."""
        self.mailkeep.mxd.stop()
        self.mailkeep.environment.update(tls_settings(certificate, self.authority))
        self.mailkeep.start_mxd()

    def configure(self, **values: str) -> None:
        """Change parameters of Postfix while it runs."""
        self.postfix.run("postconf", "-e", *(f"{name}={value}" for name, value in values.items()))
        self.postfix.run("postfix", "reload")

    def rcpt(self, recipient: str | None = None) -> str:
        """The reply to RCPT for one recipient, the customer by default."""
        with self.smtp() as client:
            client.mail("sender@client.test")
            code, text = client.rcpt(recipient or self.customer.address)
            return f"{code} {text.decode()}"

    def wait_for_recipient(self) -> None:
        wait_until(lambda: self.rcpt().startswith("250 "), what="the MX does not know the recipient")


def tls_settings(certificate: Certificate | None, authority: Authority) -> dict[str, str]:
    """Of mxd, which asks for a certificate that the authority signed, as Postfix does."""
    if certificate is None:
        return {"MAILKEEP_LMTP__TLS": "off", "MAILKEEP_LMTP__TLS_CLIENT_CA": ""}
    return {
        "MAILKEEP_LMTP__TLS": "required",
        "MAILKEEP_LMTP__TLS_CERTIFICATE": str(certificate.certificate),
        "MAILKEEP_LMTP__TLS_KEY": str(certificate.key),
        "MAILKEEP_LMTP__TLS_CLIENT_CA": str(authority.root),
    }


@contextmanager
def mx_house(
    directory: Path, *, settings: Mapping[str, str] | None = None, mx_settings: Mapping[str, str] | None = None
) -> Iterator[MxHouse]:
    """All of it, started, and the MX knows the customer's address; or no test."""
    required_program("openssl")
    authority = Authority(directory / "authority")
    tls = tls_settings(authority.issue(BACKEND), authority)
    with (
        installed_mailkeep(directory / "backend", settings={**tls, **(settings or {})}) as backend,
        _mx(directory / "mx", backend, mx_settings or {}) as mx,
        _postfix(mx, backend, authority) as postfix,
    ):
        customer = backend.create_customer("alice@customer.test")
        house = MxHouse(mailkeep=backend, postfix=postfix, customer=customer, mx=mx, authority=authority)
        backend.start()
        start_mx(mx)
        house.wait_for_recipient()
        yield house


def start_mx(mx: Mailkeep) -> None:
    mx.mxd.start()
    mx.mxd.wait_ready(lambda: accepts_connections(mx.policy_port))


@contextmanager
def _mx(directory: Path, backend: Mailkeep, settings: Mapping[str, str]) -> Iterator[Mailkeep]:
    """No database, no API of its own: one token."""
    mx = Mailkeep(
        directory,
        database_url="sqlite+aiosqlite:////nonexistent/is/not/opened.db",
        settings={
            "MAILKEEP_LMTP__ENABLED": "false",
            "MAILKEEP_RECIPIENTS__API_URL": backend.url,
            "MAILKEEP_RECIPIENTS__TOKEN": backend.environment["MAILKEEP_RECIPIENTS__TOKEN"],
            **settings,
        },
    )
    try:
        yield mx
        mx.stop()
    finally:
        mx.kill()


def _postfix(mx: Mailkeep, backend: Mailkeep, authority: Authority) -> AbstractContextManager[Postfix]:
    return shipped_postfix(
        mx,
        "--mode=mx",
        f"--backend={BACKEND}:{backend.lmtp_port}",
        f"--ca-file={authority.root}",
        f"--client-chain={authority.issue('mx.mail.test').chain}",
    )
