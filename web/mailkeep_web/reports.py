"""Reports of machines, as people read them: what became of a message, by recipient (RFC 3464)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mailkeep.domain.structure import Report

_SHOWN: Final = frozenset({"final-recipient", "original-recipient", "action", "status", "diagnostic-code"})
# RFC 3464 section 2.3.3.
_ACTIONS: Final[Mapping[str, str]] = {
    "failed": "Failed: it will not be delivered",
    "delayed": "Delayed: it is tried again",
    "delivered": "Delivered",
    "relayed": "Handed on to a server that does not report",
    "expanded": "Handed on to several addresses",
}

Fields = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class RecipientReport:
    """What became of the message for one recipient. `others` are the fields that have no place of their own."""

    recipient: str
    original_recipient: str
    action: str
    status: str
    diagnostic: str
    others: Fields


@dataclass(frozen=True, slots=True)
class ReportShown:
    """The fields about the message, and the recipients; a report that names no action has all of it in `fields`."""

    fields: Fields
    recipients: Sequence[RecipientReport]


def report_shown(report: Report) -> ReportShown:
    recipients = [block for block in report.blocks if any(name.lower() == "action" for name, _ in block)]
    others = [field for block in report.blocks if block not in recipients for field in block]
    return ReportShown(others, [_recipient(block) for block in recipients])


def _recipient(block: Fields) -> RecipientReport:
    values = {name.lower(): value for name, value in reversed(block)}
    recipient = _untyped(values.get("final-recipient", ""))
    original = _untyped(values.get("original-recipient", ""))
    action = values.get("action", "").strip()
    return RecipientReport(
        recipient=recipient or original,
        original_recipient=original if original != recipient and recipient else "",
        action=_ACTIONS.get(action.lower(), action),
        status=values.get("status", ""),
        diagnostic=_untyped(values.get("diagnostic-code", "")),
        others=[(name, value) for name, value in block if name.lower() not in _SHOWN],
    )


def _untyped(value: str) -> str:
    """`rfc822; ada@example.org` without its type (RFC 3464 section 2.1.2)."""
    kind, semicolon, rest = value.partition(";")
    return rest.strip() if semicolon and " " not in kind.strip() else value.strip()
