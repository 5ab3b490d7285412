"""Dates in mail: RFC 5322 section 3.3, its obsolete forms, and what else is sent as one."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

_MAX_DATE: Final = 200
# CFWS may stand between any two words; the stdlib knows comments at the end only.
_COMMENT: Final = re.compile(r"\s*\([^()]*\)")
# 07.44.20 instead of 07:44:20, and a full stop after the day or the month.
_DOTTED_TIME: Final = re.compile(r"\b(\d\d?)\.(\d\d)(?:\.(\d\d))?(?=\s|$)")
_DOTTED_WORD: Final = re.compile(r"(?<=[A-Za-z]{3})\.|(?<=\d)\.(?=\s)")


def date(text: str) -> datetime | None:
    """In UTC; None for what is no date, or none that a database holds. A date without a zone is taken for UTC."""
    text = _COMMENT.sub("", text[:_MAX_DATE]).strip()
    moment = _mail_date(text) or _iso_date(text) or _mail_date(_without_dots(text))
    return moment if moment is not None and 1970 <= moment.year <= 9998 else None


def _mail_date(text: str) -> datetime | None:
    try:
        return _in_utc(parsedate_to_datetime(text))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _iso_date(text: str) -> datetime | None:
    """ISO 8601, which programs write that format dates by themselves."""
    try:
        return _in_utc(datetime.fromisoformat(text.replace(" +", "+").replace(" -", "-").replace(" UTC", "Z")))
    except (ValueError, OverflowError):
        return None


def _without_dots(text: str) -> str:
    return _DOTTED_WORD.sub("", _DOTTED_TIME.sub(lambda m: f"{m[1]}:{m[2]}:{m[3] or '00'}", text))


def _in_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
