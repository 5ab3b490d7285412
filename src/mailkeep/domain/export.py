"""The export of an account."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ExportPart:
    """Which messages an archive holds: those newer than the seq `after`, up to `last`.

    `next_after` is the `after` of the part that follows; None: there is none.
    """

    account_id: str
    after: int
    last: int
    next_after: int | None


@dataclass(frozen=True, slots=True)
class ExpectedExport:
    """What an export made now would hold. `mail_bytes` is what the messages occupy, before it is compressed."""

    messages: int
    mail_bytes: int


@dataclass(slots=True)
class LeftOut:
    """What is not in the archive, a line each; filled while it is written."""

    lines: list[str] = field(default_factory=list)
