"""What strangers fail at, counted: the first time in a minute is a record of its own, the others are one together.

Otherwise anybody could fill the log, which is kept for ever, and hold up everybody else's records.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from mailkeep.domain.audit import AuditRecord
from mailkeep.domain.client import network_of

MINUTE: Final = timedelta(minutes=1)
MAX_KINDS: Final = 10_000  # in one minute; what is beyond that is counted together by its outcome
RATE_EXCEEDED: Final = "rate-exceeded"


@dataclass(slots=True)
class _Count:
    last: AuditRecord
    more: int = 0


class AuditTally:
    """Decides what is recorded now, and gives what was counted when its minute is over."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, ...], _Count] = {}
        self._began_at: datetime | None = None

    def is_first(self, record: AuditRecord) -> bool:
        """Whether this is to be recorded by itself. Otherwise it is counted."""
        key = _key(record)
        if key not in self._counts and len(self._counts) >= MAX_KINDS:
            key = ("", "", record.outcome)
        count = self._counts.get(key)
        if count is None:
            self._began_at = self._began_at or record.at
            self._counts[key] = _Count(record)
            return True
        count.last, count.more = record, count.more + 1
        return False

    def over(self, now: datetime) -> Iterator[AuditRecord]:
        """Records of what was counted, once the first of it is a minute old: the last of each kind, with the count."""
        if self._began_at is not None and now - self._began_at >= MINUTE:
            yield from self.rest()

    def rest(self) -> Iterator[AuditRecord]:
        """Records of all that was counted up to now."""
        counted, self._counts, self._began_at = self._counts, {}, None
        yield from (replace(count.last, detail=f"and {count.more} like it") for count in counted.values() if count.more)


def is_counted(record: AuditRecord) -> bool:
    """Whether strangers, or somebody beyond every limit, can make as many of these as they like."""
    return record.outcome == RATE_EXCEEDED or (record.account_id is None and record.actor_id == "")


def _key(record: AuditRecord) -> tuple[str, ...]:
    client = record.place.client_ip if record.place is not None else ""
    return network_of(client), record.action, record.outcome, record.account_id or ""
