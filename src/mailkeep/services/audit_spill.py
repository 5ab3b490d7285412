"""Records of the audit log that the database did not take before the program ended, in a file until the next start."""

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
    """Make the file, a line a record, and have it on the disk."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
        file.writelines(f"{json.dumps(asdict(signed), default=_text)}\n" for signed in records)
        file.flush()
        os.fsync(file.fileno())


def read_spilled(path: Path) -> list[SignedRecord]:
    """What is in the file. A last line that was cut off is left out."""
    with path.open(encoding="utf-8") as file:
        return [_signed(json.loads(line)) for line in file if line.endswith("}\n")]


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
