"""Numbers, moments and addresses as people read them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from mailkeep.domain.account import Role
from mailkeep.domain.clock import utc_now
from mailkeep.domain.mailbox import Mailbox

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_AT_SIGNS: Final = "@\N{FULLWIDTH COMMERCIAL AT}\N{SMALL COMMERCIAL AT}"

_ROLES: Final[Mapping[Role, str]] = {
    Role.OWNER: "Owner: everything, the account itself included",
    Role.MEMBER: "Member: everything but the account itself",
    Role.VIEWER: "Viewer: reads, and changes nothing",
}


def age(moment: datetime) -> str:
    """`now`, `4 min`, `3 h`, `2 d`, then the date: short, and the same in every time zone."""
    seconds = int((utc_now() - moment).total_seconds())
    if seconds < _MINUTE:
        return "now"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE} min"
    if seconds < _DAY:
        return f"{seconds // _HOUR} h"
    if seconds < 7 * _DAY:
        return f"{seconds // _DAY} d"
    return f"{moment.astimezone(UTC).day} {moment.astimezone(UTC):%b}"


def ago(moment: datetime) -> str:
    """`just now`, `4 min ago`, then the date: `age` in a sentence."""
    short = age(moment)
    if short == "now":
        return "just now"
    return f"on {short}" if utc_now() - moment >= timedelta(days=7) else f"{short} ago"


def utc(moment: datetime) -> str:
    """`24 Nov 2026, 09:30:00 UTC`."""
    moment = moment.astimezone(UTC)
    return f"{moment.day} {moment:%b %Y, %H:%M:%S} UTC"


def day(moment: datetime) -> str:
    """`24 Nov 2026`, in UTC."""
    moment = moment.astimezone(UTC)
    return f"{moment.day} {moment:%b %Y}"


def size(count: int) -> str:
    """Bytes in the largest unit that leaves a number to look at: `812 B`, `1.4 kB`, `25 MB`.

    A kB is 1,024 bytes, as in the limits that are set in megabytes: 100 MB of storage reads so everywhere.
    """
    amount = float(count)
    for unit in ("B", "kB", "MB"):
        if amount < 999.5:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 9.95 else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GB"


def duration(seconds: float) -> str:
    """In its two largest units: `0 s`, `0.4 s`, `2 min 5 s`, `3 h`, `2 d 4 h`."""
    if seconds < 10 and seconds != int(seconds):
        return f"{seconds:.1f} s"
    units, left = [], round(seconds)
    for name, length in (("d", _DAY), ("h", _HOUR), ("min", _MINUTE), ("s", 1)):
        count, left = divmod(left, length)
        if count:
            units.append(f"{count} {name}")
        elif units:
            break
    return " ".join(units[:2]) or "0 s"


def sender_label(sender: Mailbox) -> str:
    """The name in a list, where there is room for one thing: the address when the name could be taken for one."""
    name = "" if any(at in sender.name for at in _AT_SIGNS) else sender.name
    return name or sender.address or sender.name or "(no sender)"


def user_role(role: Role) -> str:
    """What a person may do in an account."""
    return _ROLES[role]


def plural(count: int, one: str, many: str) -> str:
    """`1 script`, `2 scripts`."""
    return f"{count} {one if count == 1 else many}"


def header_lines(headers: Iterable[tuple[str, str]]) -> str:
    """`Subject: Hello`, a line each."""
    return "\n".join(f"{name}: {value}" for name, value in headers)
