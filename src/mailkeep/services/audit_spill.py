"""Records of the audit log that the database did not take, in a file until the next start."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from mailkeep.domain.audit import ActorKind, AuditRecord, Place
from mailkeep.domain.audit_signing import SignedRecord


def spill(path: Path, records: Sequence[SignedRecord]) -> None:
    """Make the file, a line a record, and have it on the disk; it has its name once it is whole."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    fresh = path.with_name(f"{path.name}.fresh")
    with os.fdopen(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
        file.writelines(f"{json.dumps(asdict(signed), default=_text)}\n" for signed in records)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def read_spilled(path: Path) -> tuple[list[SignedRecord], int]:
    """What is in the file, and how many lines of it cannot be read."""
    records: list[SignedRecord] = []
    damaged = 0
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                records.append(_signed(json.loads(line)))
            except (ValueError, KeyError, TypeError):
                damaged += 1
    return records, damaged


def set_aside(path: Path) -> None:
    """For the operator: what could be read of it is written, and the rest is still there to be looked at."""
    path.rename(path.with_suffix(".damaged"))


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _signed(stored: dict[str, Any]) -> SignedRecord:
    fields = stored["record"]
    record = AuditRecord(
        **{
            **fields,
            "at": datetime.fromisoformat(fields["at"]),
            "actor_kind": ActorKind(fields["actor_kind"]),
            "place": Place(**fields["place"]),
        }
    )
    return SignedRecord(record, salt=stored["salt"], place_sha256=stored["place_sha256"], mac=stored["mac"])
