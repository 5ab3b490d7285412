"""Dates in mail: RFC 5322 section 3.3, its obsolete forms, and what else is sent as one."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

_MAX_DATE: Final = 200
_MONTH: Final = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}"
# What the stdlib does not read, and what it does; tried in this order.
_REWRITTEN: Final = (
    (re.compile(r"\s*\([^()]*\)"), ""),  # CFWS may stand between any two words
    (re.compile(r"\s*([:,])\s*"), r"\1 "),
    (re.compile(r": "), ":"),
    (re.compile(r"(?<=[a-z]{3})\.|(?<=\d)\.(?=\s)", re.IGNORECASE), ""),  # 24. Nov. 2026
    (re.compile(r"\b(\d\d?)\.(\d\d)\.(\d\d)(?=\s|$)"), r"\1:\2:\3"),
    (re.compile(r"\b(?:GMT|UTC)(?=[+-]\d)"), ""),  # GMT+0100
    (re.compile(r"(?<=[\s\d])([+-]\d\d):(\d\d)$"), r" \1\2"),  # +01:00
    (re.compile(r"(?<=\s)([+-])(\d)$"), r"\g<1>0\2"),  # +1, +01: hours, which the stdlib takes for minutes
    (re.compile(r"(?<=\s)([+-]\d\d)$"), r"\g<1>00"),
    (re.compile(r"(:\d\d)\.\d{1,9}(?=\s|$)"), r"\1"),  # 07:44:20.123
)
_AFTERNOON: Final = re.compile(r"\b(\d\d?)(:\d\d(?::\d\d)?)\s*([AP])M\b", re.IGNORECASE)
_LEAP_SECOND: Final = re.compile(r"(:\d\d):60\b")
_YEAR: Final = re.compile(rf"(\b{_MONTH}[\s-]+)(\d{{3,}})\b", re.IGNORECASE)


def date(text: str) -> datetime | None:
    """In UTC; None for what is no date, or none that a database holds. A date without a zone is taken for UTC."""
    text = text[:_MAX_DATE].strip()
    moment = _iso_date(text) or _mail_date(text)
    return moment if moment is not None and 1970 <= moment.year <= 9998 else None


def _mail_date(text: str) -> datetime | None:
    for pattern, replacement in _REWRITTEN:
        text = pattern.sub(replacement, text)
    year = _YEAR.search(text)
    if year is not None and len(year[2]) > 3 and int(year[2]) < 1900:
        return None  # the stdlib takes 0001 for 2001
    text = _YEAR.sub(_four_digits, _AFTERNOON.sub(_in_24_hours, text))
    # RFC 5322 section 3.3 allows a minute of 61 seconds.
    ordinary = _LEAP_SECOND.sub(r"\1:59", text)
    try:
        return _in_utc(parsedate_to_datetime(ordinary)) + timedelta(seconds=int(ordinary != text))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _iso_date(text: str) -> datetime | None:
    """ISO 8601, which programs write that format dates by themselves."""
    try:
        return _in_utc(datetime.fromisoformat(text.replace(" +", "+").replace(" -", "-").replace(" UTC", "Z")))
    except (ValueError, OverflowError):
        return None


def _four_digits(match: re.Match[str]) -> str:
    """RFC 5322 section 4.3: to a year of three digits 1900 is added."""
    return match[1] + (str(int(match[2]) + 1900) if len(match[2]) == 3 else match[2])


def _in_24_hours(match: re.Match[str]) -> str:
    hour = int(match[1]) % 12 + (12 if match[3] in "pP" else 0)
    return f"{hour:02}{match[2]}"


def _in_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
