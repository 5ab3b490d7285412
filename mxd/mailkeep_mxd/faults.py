"""What may be said in a log about an exception nobody foresaw: where it came from, never what it says.

The text of an exception can hold an address, a subject or a statement with its values.
"""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Final

import structlog

_FRAMES: Final = 4

log: structlog.stdlib.BoundLogger = structlog.get_logger()


def log_fault(event: str, error: BaseException) -> None:
    """Log an exception that nobody foresaw: its type and where it was raised."""
    log.error(event, error=type(error).__name__, where=where_raised(error))


def where_raised(error: BaseException) -> str:
    """The innermost frames, outermost first: `session.py:87 data, ingest.py:40 feed`."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    return ", ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames)
