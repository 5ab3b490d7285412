"""The head of the audit log's chain, kept where the database is not."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

from mailkeep.domain.ids import new_id
from mailkeep.errors import ConfigurationError
from mailkeep.storage.audit_seals import Seal


def write_head(path: Path, seal: Seal) -> None:
    """Replace the file in one step, unless it knows a later head. Raises ConfigurationError when it is damaged."""
    with path.with_name(f"{path.name}.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = read_head(path)
        if known is None or known.seq < seal.seq:
            _replace(path, seal)


def _replace(path: Path, seal: Seal) -> None:
    fresh = path.with_name(f"{path.name}.{new_id()}")
    with os.fdopen(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
        json.dump({"seq": seal.seq, "audit_id": seal.audit_id, "hash": seal.hash}, file)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def read_head(path: Path) -> Seal | None:
    """None before the first sealing. Raises ConfigurationError when the file is damaged."""
    if not path.exists():
        return None
    try:
        return Seal(**json.loads(path.read_text("utf-8")))
    except (ValueError, TypeError) as error:
        raise ConfigurationError(
            f"{path} is damaged: if nobody touched it on purpose, remove it, and `mailkeep audit seal` makes it anew"
        ) from error
