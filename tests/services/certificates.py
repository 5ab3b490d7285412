"""A certificate authority of our own, by the openssl command: for servers that must be believed, and for impostors."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from services.daemon import find_program


@dataclass(frozen=True, slots=True)
class Certificate:
    """`chain` holds key and certificate in one file, as Postfix wants them; `key` and `certificate` hold one each."""

    key: Path
    certificate: Path
    chain: Path


class Authority:
    """Whoever trusts `root` believes what this authority issues."""

    def __init__(self, directory: Path, *, name: str = "Test authority") -> None:
        """Raises ServiceMissing, CalledProcessError."""
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        made = self._make(name, "-addext", "basicConstraints=critical,CA:TRUE", file_name="authority")
        self.root = made.certificate
        self._key = made.key

    def issue(self, host: str, *, days: int = 2) -> Certificate:
        """For a server of that name; a negative `days` gives one that has expired."""
        return self._make(
            host, "-CA", str(self.root), "-CAkey", str(self._key), "-addext", f"subjectAltName=DNS:{host}",
            "-addext", "basicConstraints=critical,CA:FALSE", file_name=f"{host}.{days}", days=days,
        )  # fmt: skip

    def _make(self, name: str, *options: str, file_name: str, days: int = 2) -> Certificate:
        key, certificate, chain = (self._directory / f"{file_name}.{part}" for part in ("key", "crt", "pem"))
        command = [
            find_program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", f"/CN={name}", "-days", str(days), "-keyout", str(key), "-out", str(certificate), *options,
        ]  # fmt: skip
        subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
        chain.write_text(key.read_text() + certificate.read_text())
        return Certificate(key=key, certificate=certificate, chain=chain)


def sha256_fingerprint(certificate: Path) -> str:
    """As openssl prints it."""
    command = [find_program("openssl"), "x509", "-in", str(certificate), "-noout", "-fingerprint", "-sha256"]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout.strip()
