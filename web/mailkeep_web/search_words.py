"""What a search can say, for its help and its suggestions. The language itself is in `mailkeep.domain.query`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What is put into the field, and what it does. What ends with `:` goes on with a value, as in `example`."""

    insert: str
    meaning: str
    example: str = ""


SUGGESTIONS: Final = (
    Suggestion("from:", "words of the sender", "from:shop"),
    Suggestion("to:", "words of the recipients", "to:ada"),
    Suggestion("subject:", "words of the subject", 'subject:"order 17"'),
    Suggestion("body:", "words of the text", "body:invoice"),
    Suggestion("filename:", "words of an attachment's name", "filename:pdf"),
    Suggestion("tag:", "sent to name+tag@", "tag:ci-42"),
    Suggestion("header:", "words of any header", "header:List-Id=news"),
    Suggestion("has:attachment", "with attachments"),
    Suggestion("is:unread", "not opened yet"),
    Suggestion("is:read", "opened"),
    Suggestion("after:", "received from then on", "after:2026-11-24"),
    Suggestion("before:", "received before that", "before:7d"),
    Suggestion("larger:", "at least so large", "larger:10k"),
    Suggestion("smaller:", "not so large", "smaller:5m"),
)
