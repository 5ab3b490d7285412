"""Serving an application over HTTP, until told to stop."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from mailkeep.config import split_listen
from mailkeep.errors import ConfigurationError
from mailkeep_api.connection import Runner

STOP_TIMEOUT_S: Final = 20  # for the requests that are under way; systemd waits 30

log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger()


class _KindsOnly(logging.Filter):
    """aiohttp logs what it could not parse, bytes and all, and a stranger wrote them: keep the kind of the error.

    A client that left in the middle of an answer is no error: the request has its line with the status 499.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        kind = record.exc_info[0] if record.exc_info else None
        if kind is None or not issubclass(kind, HttpProcessingError | ConnectionError):
            return True
        if issubclass(kind, HttpProcessingError):
            log.warning("http.not_understood", error=kind.__name__)
        return False


_AIOHTTP_LOG: Final = logging.getLogger("mailkeep.http")
_KINDS_ONLY: Final = _KindsOnly()


@asynccontextmanager
async def serve_http(app: web.Application, listen: str) -> AsyncIterator[tuple[str, int]]:
    """Serve while the block runs; gives host and port as bound. Leaving it finishes the requests under way.

    Raises ConfigurationError when it cannot listen there.
    """
    host, port = split_listen(listen)
    _AIOHTTP_LOG.addFilter(_KINDS_ONLY)
    # Bodies with a Content-Encoding are refused, so nothing is ever unpacked here.
    runner = Runner(app, access_log=None, logger=_AIOHTTP_LOG, shutdown_timeout=STOP_TIMEOUT_S, auto_decompress=False)
    await runner.setup()
    try:
        await _listen(runner, host, port, listen)
        address = runner.addresses[0][:2]
        log.info("http.listening", host=address[0], port=address[1])
        yield address
    finally:
        await runner.cleanup()
        log.info("http.stopped")


async def _listen(runner: web.AppRunner, host: str, port: int, listen: str) -> None:
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        # A name that does not resolve has a negative number of its own (socket.gaierror).
        reason = os.strerror(error.errno) if error.errno is not None and error.errno > 0 else "no such host"
        raise ConfigurationError(
            f"http.listen: cannot listen on {listen} ({reason}): stop what listens there, or choose another address"
        ) from error
