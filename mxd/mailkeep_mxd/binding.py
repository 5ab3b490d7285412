"""Listening on what a setting names, and saying in one line why it cannot be done."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

from mailkeep.config import split_listen
from mailkeep.errors import ConfigurationError

UNIX_PREFIX: Final = "unix:"
BACKLOG: Final = 512

Factory = Callable[[], asyncio.BaseProtocol]


@asynccontextmanager
async def listening(setting: str, listen: str, factory: Factory, *, shared: bool = False) -> AsyncIterator[str]:
    """Listen on `host:port` or `unix:/path`; gives the place with the real port. Raises ConfigurationError.

    `shared`: other processes of ours may listen on the same port; the kernel gives each some of the connections.
    """
    loop = asyncio.get_running_loop()
    if listen.startswith(UNIX_PREFIX):
        path = Path(listen.removeprefix(UNIX_PREFIX))
        with explained(setting, listen):
            _remove_stale_socket(path)
            server = await loop.create_unix_server(factory, str(path), backlog=BACKLOG)
        place = listen
    else:
        host, port = split_listen(listen)
        with explained(setting, listen):
            server = await loop.create_server(factory, host, port, backlog=BACKLOG, reuse_port=shared)
        place = place_of(server)
    try:
        yield place
    finally:
        server.close()
        _remove_own_socket(listen)


def require_shareable(setting: str, listen: str) -> None:
    """Before several processes share a port: that it can be shared, and that nobody else has it.

    With SO_REUSEPORT the kernel would give a second installation its part of the mail, and tell nobody.
    Raises ConfigurationError.
    """
    if listen.startswith(UNIX_PREFIX):
        raise ConfigurationError(f"{setting} is {listen!r}: several workers cannot share a unix socket, use host:port")
    host, port = split_listen(listen)
    if port == 0:
        raise ConfigurationError(f"{setting} is {listen!r}: several workers need a port with a number")
    with explained(setting, listen):
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)


def place_of(server: asyncio.Server) -> str:
    host, port = server.sockets[0].getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@contextmanager
def explained(setting: str, listen: str) -> Iterator[None]:
    """Turn the error of a bind into one line for the operator. Raises ConfigurationError."""
    try:
        yield
    except socket.gaierror as error:
        raise ConfigurationError(f"{setting} is {listen!r}: there is no such host") from error
    except OSError as error:
        raise ConfigurationError(_explain(error, setting, listen)) from error


def _explain(error: OSError, setting: str, listen: str) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"port in use: another program listens on {listen}; stop it, or choose another {setting}"
        case errno.EACCES | errno.EPERM:
            return f"no permission to listen on {listen}: choose another {setting}"
        case errno.EADDRNOTAVAIL:
            return f"{setting} is {listen!r}: that address is not one of this machine"
        case errno.ENOENT | errno.ENOTDIR:
            return f"{setting} is {listen!r}: the directory does not exist"
        case number:
            reason = os.strerror(number) if number else "unknown error"
            return f"cannot listen on {listen} ({setting}): {reason}"


def _remove_own_socket(listen: str) -> None:
    if listen.startswith(UNIX_PREFIX):
        Path(listen.removeprefix(UNIX_PREFIX)).unlink(missing_ok=True)


def _remove_stale_socket(path: Path) -> None:
    """A socket that a killed process left behind; one that somebody listens on is in use."""
    try:
        is_socket = stat.S_ISSOCK(path.lstat().st_mode)
    except FileNotFoundError:
        return
    if not is_socket:
        raise OSError(errno.EADDRINUSE, "not a socket")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise OSError(errno.EADDRINUSE, "somebody listens on it")
