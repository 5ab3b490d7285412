"""What was done to messages, said on the page that shows what is left: `?done=deleted&count=3`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mailkeep_web.words import plural

_DELETED: Final = "message-deleted"
_CHANGES: Final = {
    "deleted": ("message is deleted.", "messages are deleted."),
    "read": ("message is marked as read.", "messages are marked as read."),
    "unread": ("message is marked as unread.", "messages are marked as unread."),
}
_MAX_DIGITS: Final = 12


def notice_of(query: Mapping[str, str]) -> str:
    """The notice that a request's query asks for, or no text: it never says what the query says."""
    done, count = query.get("done", ""), query.get("count", "")
    if done == _DELETED:
        return "The message is deleted."
    if done in _CHANGES and count.isascii() and count.isdigit() and len(count) <= _MAX_DIGITS:
        return change_words(done, int(count))
    return ""


def change_words(change: str, count: int) -> str:
    """`3 messages are deleted.`"""
    if not count:
        return "No message was selected, so nothing was changed."
    return plural(count, *_CHANGES[change])
