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
        made = self._files("authority")
        extension = "basicConstraints=critical,CA:TRUE"
        _openssl("req", "-x509", *_new_key(name, made), "-days", "2", "-out", made.certificate, "-addext", extension)
        self.root = made.certificate
        self._key = made.key

    def issue(self, host: str, *, days: int = 2) -> Certificate:
        """For a server of that name; a negative `days` gives one that has expired."""
        made = self._files(f"{host}.{days}")
        request, extensions = made.chain.with_suffix(".csr"), made.chain.with_suffix(".ext")
        extensions.write_text(f"subjectAltName=DNS:{host}\nbasicConstraints=critical,CA:FALSE\n")
        _openssl("req", "-new", *_new_key(host, made), "-out", request)
        _openssl("x509", "-req", "-in", request, "-CA", self.root, "-CAkey", self._key, "-CAcreateserial",
                 "-days", str(days), "-extfile", extensions, "-out", made.certificate)  # fmt: skip
        made.chain.write_text(made.key.read_text() + made.certificate.read_text())
        return made

    def _files(self, name: str) -> Certificate:
        key, certificate, chain = (self._directory / f"{name}.{part}" for part in ("key", "crt", "pem"))
        return Certificate(key=key, certificate=certificate, chain=chain)


def sha256_fingerprint(certificate: Path) -> str:
    """As openssl prints it."""
    return _openssl("x509", "-in", certificate, "-noout", "-fingerprint", "-sha256").strip()


def _new_key(name: str, files: Certificate) -> list[str | Path]:
    return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
            "-keyout", files.key]  # fmt: skip


def _openssl(*arguments: str | Path) -> str:
    command = [find_program("openssl"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
