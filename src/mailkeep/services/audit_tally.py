"""What strangers fail at, counted: the first time in a minute is a record of its own, the others are one together.

Otherwise anybody could fill the log, which is kept for ever, and hold up everybody else's records.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from ipaddress import ip_network
from typing import Final

from mailkeep.domain.audit import AuditRecord

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
        self._minute: datetime | None = None

    def is_first(self, record: AuditRecord) -> bool:
        """Whether this is to be recorded by itself. Otherwise it is counted."""
        key = _key(record)
        if key not in self._counts and len(self._counts) >= MAX_KINDS:
            key = ("", "", record.outcome)
        count = self._counts.get(key)
        if count is None:
            self._counts[key] = _Count(record)
            return True
        count.last, count.more = record, count.more + 1
        return False

    def over(self, now: datetime) -> Iterator[AuditRecord]:
        """Records of what was counted in the minutes before this one: the last of each kind, with the count."""
        minute = now.replace(second=0, microsecond=0)
        if minute != self._minute:
            self._minute = minute
            yield from self.rest()

    def rest(self) -> Iterator[AuditRecord]:
        """Records of all that was counted up to now."""
        counted, self._counts = self._counts, {}
        yield from (replace(count.last, detail=f"and {count.more} like it") for count in counted.values() if count.more)


def is_counted(record: AuditRecord) -> bool:
    """Whether strangers, or somebody beyond every limit, can make as many of these as they like."""
    return record.outcome == RATE_EXCEEDED or (record.account_id is None and record.actor_id == "")


def _key(record: AuditRecord) -> tuple[str, ...]:
    client = record.place.client_ip if record.place is not None else ""
    return _network(client), record.action, record.outcome, record.account_id or ""


def _network(client: str) -> str:
    """Of IPv6 the /64, which one client has to itself."""
    return str(ip_network(f"{client}/64", strict=False)) if ":" in client and "%" not in client else client
