"""Two of everything on one database, as two hosts have it: an API and an mxd each, with what they must share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from services.mailkeep import Mailkeep, installed_mailkeep

SHARED = {"MAILKEEP_AUTH__SECRET": "a" * 64, "MAILKEEP_AUDIT__KEY": "b" * 64}


@contextmanager
def installed_pair(
    directory: Path, *, database_url: str, settings: Mapping[str, str] | None = None
) -> Iterator[tuple[Mailkeep, Mailkeep]]:
    """Both with the schema and the token of the first; whatever they started ends cleanly, or is killed, at the end."""
    common = {**SHARED, "MAILKEEP_BLOBS__DIR": str(directory / "blobs"), **(settings or {})}
    with installed_mailkeep(directory / "first", database_url=database_url, settings=common) as first:
        second = Mailkeep(directory / "second", database_url=database_url, settings=common)
        second.environment["MAILKEEP_RECIPIENTS__TOKEN"] = first.environment["MAILKEEP_RECIPIENTS__TOKEN"]
        try:
            yield first, second
            second.stop()
        finally:
            second.kill()
