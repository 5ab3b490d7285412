"""`mailkeep postfix`: the configuration of the Postfix in front of mxd, for this installation's names."""

from __future__ import annotations

import re
import socket
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final

import typer
from jinja2 import Environment, StrictUndefined

from mailkeep.config import Settings, split_listen
from mailkeep.domain.address import canonical_domain
from mailkeep.errors import ConfigurationError, Conflict, InvalidInput
from mailkeep_cli.running import settings_of_command
from mailkeep_mxd.feed import is_loopback

FILES: Final = ("main.cf", "master.cf")
TLS_CHAIN: Final = "$config_directory/tls/mx.pem"
CA_FILE: Final = "/etc/ssl/certs/ca-certificates.crt"

# What may stand in a value of main.cf without being a list, an expansion, a comment or a line of its own.
_FILE_NAME: Final = re.compile(r"(?:\$config_directory)?/[A-Za-z0-9_./@+\-]+")
_SHA256: Final = re.compile(r"(?:[0-9A-F]{2}:){31}[0-9A-F]{2}")

commands = typer.Typer()


class Mode(StrEnum):
    """Where Postfix stands: beside mxd's LMTP listener, or on an MX host that reaches it over a network."""

    ONE_MACHINE = "one-machine"
    MX = "mx"


@dataclass(frozen=True, kw_only=True, slots=True)
class Backend:
    """The LMTP listener as Postfix reaches it; `verified` is None on this machine, where no TLS is needed."""

    nexthop: str
    verified: Verified | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Verified:
    """How the backend's certificate is known: by its fingerprint, or by a name and who signed it."""

    fingerprint: str
    name: str
    ca_file: str
    client_chain: str


@commands.callback()
def _group() -> None:
    """Postfix in front of mxd."""


@commands.command()
def config(
    *,
    mode: Annotated[Mode, typer.Option(help="one-machine: mxd runs here too; mx: Postfix stands on a host before it.")],
    backend: Annotated[
        str, typer.Option(help="host:port (or unix:/path) of mxd's LMTP listener; one-machine: default lmtp.listen.")
    ] = "",
    hostname: Annotated[str, typer.Option(help="The name in the MX record; default: this machine's.")] = "",
    tls_chain: Annotated[str, typer.Option(help="File with key, certificate and chain for port 25.")] = TLS_CHAIN,
    ca_file: Annotated[str, typer.Option(help="mx: who may sign the backend's certificate.")] = CA_FILE,
    verify_name: Annotated[str, typer.Option(help="mx: the name in it; default: the backend's host.")] = "",
    fingerprint: Annotated[str, typer.Option(help="mx: its SHA-256 fingerprint, instead of name and CA.")] = "",
    client_chain: Annotated[str, typer.Option(help="mx: key and certificate to show when mxd asks for one.")] = "",
    postscreen: Annotated[bool, typer.Option(help="Put postscreen in front of port 25.")] = True,
    directory: Annotated[Path | None, typer.Option(help="Write the files here; default: print them.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
) -> None:
    """Print main.cf and master.cf for a Postfix that receives for this installation and does nothing else."""
    settings = settings_of_command()
    if not settings.policy.enabled:
        raise ConfigurationError("policy.enabled is false: Postfix asks mxd about each recipient")
    if mode is Mode.ONE_MACHINE:
        if fingerprint or verify_name or client_chain:
            raise InvalidInput("--fingerprint, --verify-name and --client-chain are for --mode mx: here is no TLS")
        if settings.lmtp.tls == "required":
            raise ConfigurationError("lmtp.tls is required, and one machine needs none: use --mode mx, or optional")
        place = _on_this_machine(backend or settings.lmtp.listen)
    else:
        place = _over_a_network(
            backend, fingerprint=fingerprint, name=verify_name, ca_file=ca_file, client_chain=client_chain
        )
    texts = render(
        settings,
        place,
        hostname=_mx_name(hostname or settings.lmtp.hostname or socket.getfqdn()),
        tls_chain=_file_name("--tls-chain", tls_chain),
        postscreen=postscreen,
    )
    if directory is None:
        typer.echo("\n".join(f"# ==> {name} <==\n{text}" for name, text in texts.items()))
    else:
        _write(directory, texts, replace=force)
        typer.echo(f"wrote {' and '.join(FILES)}; try them with: postfix -c {directory} check", err=True)


def render(settings: Settings, backend: Backend, *, hostname: str, tls_chain: str, postscreen: bool) -> dict[str, str]:
    """The text of each file by its name. Raises ConfigurationError when a setting cannot stand in it."""
    values = {
        "domain": settings.mail.domain,
        "hostname": hostname,
        "policy": _inet("policy.listen", settings.policy.listen),
        "nexthop": backend.nexthop,
        "verified": asdict(backend.verified) if backend.verified else None,
        "tls_chain": tls_chain,
        "postscreen": postscreen,
        "max_message_bytes": settings.lmtp.max_message_bytes,
        "max_recipients": settings.lmtp.max_recipients,
    }
    templates = Environment(  # noqa: S701 - not HTML, and each value was checked for what main.cf gives a meaning
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    shipped = files("mailkeep_mxd") / "postfix"
    return {name: templates.from_string((shipped / name).read_text("utf-8")).render(values) for name in FILES}


def _on_this_machine(backend: str) -> Backend:
    """Raises InvalidInput for another host: mail would go there in the clear."""
    if backend.startswith("unix:"):
        return Backend(nexthop=f"unix:{_file_name('--backend', backend.removeprefix('unix:'))}")
    if not is_loopback(split_listen(backend)[0]):
        raise InvalidInput(f"{backend} is not an address of this machine: use --mode mx, which demands verified TLS")
    return Backend(nexthop=f"inet:{_inet('--backend', backend)}")


def _over_a_network(backend: str, *, fingerprint: str, name: str, ca_file: str, client_chain: str) -> Backend:
    """Raises InvalidInput when it would not be known whose certificate to expect."""
    if not backend:
        raise InvalidInput("--mode mx needs --backend HOST:PORT: where mxd takes LMTP")
    host = split_listen(backend)[0]
    if not fingerprint and not name and not _is_name(host):
        raise InvalidInput(f"{host} is no name that a certificate is verified by: give --verify-name or --fingerprint")
    verified = Verified(
        fingerprint=_fingerprint(fingerprint) if fingerprint else "",
        name="" if fingerprint else _host_name("--verify-name", name or host),
        ca_file=_file_name("--ca-file", ca_file),
        client_chain=_file_name("--client-chain", client_chain) if client_chain else "",
    )
    return Backend(nexthop=f"inet:{_inet('--backend', backend)}", verified=verified)


def _inet(option: str, listen: str) -> str:
    """host:port as Postfix writes it; IPv6 in brackets. Raises InvalidInput."""
    host, port = split_listen(listen)
    if ":" in host and re.fullmatch(r"[0-9a-fA-F:.]+", host):
        return f"[{host}]:{port}"
    return f"{_host_name(option, host)}:{port}"


def _is_name(host: str) -> bool:
    return ":" not in host and not host.rpartition(".")[2].isdigit()


def _host_name(option: str, value: str) -> str:
    try:
        return canonical_domain(value)
    except InvalidInput as error:
        raise ConfigurationError(f"{option}: {value!r} is no host name") from error


def _mx_name(value: str) -> str:
    """Raises ConfigurationError for a name that clients could not find."""
    name = _host_name("--hostname", value)
    if "." not in name:
        raise ConfigurationError(f"{name!r} is no name for an MX record: give one like --hostname mx.example.org")
    return name


def _file_name(option: str, value: str) -> str:
    if not _FILE_NAME.fullmatch(value):
        raise InvalidInput(f"{option}: {value!r} must be a whole path, of letters, digits and ._/@+-")
    return value


def _fingerprint(value: str) -> str:
    """As `openssl x509 -noout -fingerprint -sha256` prints it, with or without the colons."""
    digits = value.rpartition("=")[2].replace(":", "").upper()
    text = ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))
    if not _SHA256.fullmatch(text):
        raise InvalidInput("--fingerprint: expected a SHA-256 fingerprint, 64 hexadecimal digits")
    return text


def _write(directory: Path, texts: dict[str, str], *, replace: bool) -> None:
    """All of the files or none of them. Raises Conflict, ConfigurationError."""
    existing = [name for name in texts if (directory / name).exists()]
    if existing and not replace:
        raise Conflict(f"{directory} has a {' and a '.join(existing)} already: --force replaces")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (directory / name).write_text(text, "utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot write to {directory}: {error.strerror}") from error
