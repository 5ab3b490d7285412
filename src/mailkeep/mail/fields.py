"""The header fields of a message, and what is read of them."""

from __future__ import annotations

from datetime import datetime

from mailkeep.domain.mailbox import Mailbox
from mailkeep.mail import headers
from mailkeep.mail.dates import date
from mailkeep.mail.limits import MAX_ENCODED_SUBJECT, MAX_MESSAGE_ID, MAX_SUBJECT
from mailkeep.mail.mailboxes import read_mailboxes, read_senders
from mailkeep.mail.mime import Part


class Fields:
    """Names and unfolded values, in the order of the message. Reading them adds to `defects`."""

    def __init__(self, part: Part) -> None:
        charset = part.first_charset()
        self.all = tuple((name, headers.unfold(value, charset)) for name, value in part.raw_items())
        self.defects: set[str] = set()

    def every(self, name: str) -> list[str]:
        return [value for key, value in self.all if key.lower() == name]

    def first(self, name: str) -> str:
        return next((value for key, value in self.all if key.lower() == name), "")

    def size_of(self, *names: str) -> int:
        """Characters of the fields of these names."""
        return sum(len(value) for key, value in self.all if key.lower() in names)

    def senders(self) -> tuple[Mailbox, ...]:
        found, odd = read_senders(self.every("from"), sender=self.first("sender"))
        self.defects.update(odd)
        return found

    def mailboxes(self, name: str) -> tuple[Mailbox, ...]:
        """Of all fields of that name: RFC 5322 section 3.6 allows one, and a second one must not be hidden."""
        found, odd = read_mailboxes(", ".join(self.every(name)))
        self.defects.update(odd)
        return found

    def subject(self) -> str:
        return headers.decode(self.first("subject")[:MAX_ENCODED_SUBJECT])[:MAX_SUBJECT]

    def message_id(self) -> str:
        return self.first("message-id")[:MAX_MESSAGE_ID]

    def date(self) -> datetime | None:
        text = self.first("date")
        moment = date(text)
        if moment is None:
            self.defects.add("date_unreadable" if text else "date_missing")
        return moment
