"""Logs: one event a line, its name constant, its keys redacted."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Final, TextIO

import structlog

from mailkeep.config import Log

# Values of these keys are never shown, whoever logs them.
_SECRET_KEYS: Final = frozenset(
    {"password", "token", "secret", "authorization", "cookie", "subject", "body", "text", "html", "mail_from", "sender"}
)
# What looks like one of our tokens or a JWT, in any value.
_SECRET_VALUE: Final = re.compile(r"mk_[0-9a-f]{16}_[A-Za-z0-9_-]{8,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
_URL_PASSWORD: Final = re.compile(r"(?<=://)([^:/@\s]+):[^@/\s]+@")


def configure_logging(settings: Log, *, stream: TextIO = sys.stderr) -> None:
    """Send structlog and the standard library's loggers to a stream, in the configured form."""
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if settings.format == "json"
        # Plain: the default shows the local variables of every frame, which hold mail and passwords.
        else structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback)
    )
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        *([structlog.processors.format_exc_info] if settings.format == "json" else []),
        redact,
    ]
    level = getattr(logging, settings.level.upper())
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processor=renderer))
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)
    # aiosmtpd writes whole commands, which are addresses, into its log; what we say of a session we say ourselves.
    logging.getLogger("mail").disabled = True
    logging.getLogger("mail.log").disabled = True


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: secrets become `[redacted]`, control characters are escaped."""
    for key, value in event.items():
        if key in _SECRET_KEYS:
            event[key] = "[redacted]"
        elif isinstance(value, str):
            event[key] = _clean(value, keep_lines=key in {"exception", "stack"})
    return event


def _clean(value: str, *, keep_lines: bool) -> str:
    value = _URL_PASSWORD.sub(r"\1:[redacted]@", _SECRET_VALUE.sub("[redacted]", value))
    return value if keep_lines else _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", value)
