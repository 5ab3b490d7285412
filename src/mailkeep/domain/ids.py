"""Identifiers: UUIDv7 (RFC 9562 section 5.7), opaque strings to everybody else."""

from datetime import UTC, datetime

import uuid_utils


def new_id() -> str:
    """A new identifier, 36 characters; later ones sort after earlier ones."""
    return str(uuid_utils.uuid7())


def moment_of(identifier: str) -> datetime:
    """When it was made, to the millisecond."""
    return datetime.fromtimestamp(int(identifier.replace("-", "")[:12], 16) / 1000, UTC)


def lowest_id(moment: datetime) -> str:
    """What sorts before every identifier made at that moment or later, and after those made before it."""
    milliseconds = f"{int(moment.timestamp() * 1000):012x}"
    return f"{milliseconds[:8]}-{milliseconds[8:]}"
