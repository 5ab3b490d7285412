"""STARTTLS (RFC 3207): the certificate, read again when its files change, and what a connection's TLS is called.

Files are looked at when a client starts TLS, so a renewed certificate is in use from the next handshake on, in every
worker, and nobody needs to send a signal. One that cannot be read, or does not yet fit its key, leaves the last one
in use.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import structlog

from mailkeep.config import Lmtp
from mailkeep.errors import ConfigurationError

log: structlog.stdlib.BoundLogger = structlog.get_logger()

# For TLS 1.2: forward secrecy and authenticated encryption only, as in all of TLS 1.3 (RFC 9325 section 4.2).
TLS12_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"


class ServerTls:
    """The certificate of the mail listeners. Raises ConfigurationError when it cannot be used at start."""

    def __init__(self, certificate: Path, key: Path, client_ca: Path | None) -> None:
        self._certificate = certificate
        self._key = key
        self._client_ca = client_ca
        self._files = [path for path in (certificate, key, client_ca) if path is not None]
        self._seen = self._state()
        try:
            self._context = self._load()
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise ConfigurationError(
                f"lmtp.tls_certificate, lmtp.tls_key and lmtp.tls_client_ca: cannot be used ({type(error).__name__}); "
                "they must be PEM files that this user may read, the key without a passphrase and of that certificate"
            ) from error

    def context(self) -> ssl.SSLContext:
        """For the next handshake."""
        state = self._state()
        if state != self._seen:
            self._seen = state
            try:
                self._context = self._load()
                log.info("tls.reloaded")
            except (OSError, ValueError) as error:
                log.error("tls.not_reloaded", reason=type(error).__name__)  # noqa: TRY400 - the last one is in use
        return self._context

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(TLS12_CIPHERS)
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
        context.load_cert_chain(self._certificate, self._key, password=_no_passphrase)
        if self._client_ca is not None:
            context.load_verify_locations(self._client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _state(self) -> Mapping[Path, tuple[int, int, int] | None]:
        return {path: _stamp(path) for path in self._files}


def server_tls(lmtp: Lmtp) -> ServerTls | None:
    """None when TLS is off. Raises ConfigurationError."""
    if lmtp.tls == "off" or lmtp.tls_certificate is None or lmtp.tls_key is None:
        return None
    return ServerTls(lmtp.tls_certificate, lmtp.tls_key, lmtp.tls_client_ca)


def tls_name(stream: asyncio.BaseTransport) -> str:
    """The protocol and the cipher, as Postfix writes them: `TLSv1.3 TLS_AES_256_GCM_SHA384`."""
    cipher, _, _ = stream.get_extra_info("cipher")
    return f"{stream.get_extra_info('ssl_object').version()} {cipher}"


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _no_passphrase() -> str:
    """Without this OpenSSL would ask for one on the terminal, and wait."""
    raise ValueError("the key has a passphrase")
