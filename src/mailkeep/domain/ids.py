"""Identifiers: UUIDv7 (RFC 9562 section 5.7), opaque strings to everybody else."""

import uuid_utils


def new_id() -> str:
    """A new identifier, 36 characters; later ones sort after earlier ones."""
    return str(uuid_utils.uuid7())
