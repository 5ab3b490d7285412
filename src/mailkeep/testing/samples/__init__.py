"""Mail that we ship, to try things with: a welcome, and messages of the kinds that people receive."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, make_msgid, parsedate_to_datetime
from importlib.resources import files
from typing import Final

from mailkeep.domain.clock import utc_now
from mailkeep.testing.samples.welcome import welcome_mail

__all__ = ["SHIPPED", "SampleMail", "sample_mails", "welcome_mail"]

# In the order in which they are sent: a list shows the last one on top. What each is there to show.
SHIPPED: Final = {
    "cron": "the output of a cron job: plain text from a machine",
    "damaged": "charset and boundary wrong, an attachment cut off: read all the same, and each repair named",
    "mailing-list": "format=flowed, quotes and a list's footer",
    "outlook": "Outlook's winmail.dat and quoted-printable in iso-8859-1",
    "signed": "an S/MIME signature",
    "bounce": "a report of non-delivery (RFC 3464)",
    "forwarded": "a message attached to a message, with a file in it",
    "japanese": "iso-2022-jp in the header and the text",
    "photos": "pictures inside HTML, and an encoded file name",
    "invitation": "a calendar invitation",
    "newsletter": "HTML alone, with remote images, two trackers, a form and a script",
    "phishing": "a sender's name that lies, and links that are not what they say",
    "invoice": "text, HTML and a PDF",
    "reset-code": "a code to log in with",
    "sign-up": "a button to confirm an address, and a tracking pixel",
}
# Header fields hold moments of one day. The last hop of each sample is over by then.
_MOMENT: Final = re.compile(rb"Mon, 02 Mar 2026 \d\d:\d\d:\d\d \+0000")
_ARRIVED: Final = datetime(2026, 3, 2, 10, 0, 6, tzinfo=UTC)
_MESSAGE_ID: Final = re.compile(rb"(?m)^Message-ID: [^\r]*")


@dataclass(frozen=True, slots=True)
class SampleMail:
    """A message as it goes over the wire. `shows` says what it is there for."""

    name: str
    shows: str
    source: bytes


def sample_mails() -> Iterator[SampleMail]:
    """Every shipped message as if it came in at this moment, with a Message-ID of its own."""
    for name, shows in SHIPPED.items():
        source = files(__name__).joinpath(f"{name}.eml").read_bytes()
        yield SampleMail(name, shows, _fresh(source))


def _fresh(source: bytes) -> bytes:
    """The hops keep their distances. A message that has no Date keeps none."""
    age = utc_now() - _ARRIVED
    head, blank, body = source.partition(b"\r\n\r\n")
    head = _MOMENT.sub(lambda moment: _later(moment[0], age), head)
    head = _MESSAGE_ID.sub(f"Message-ID: {make_msgid(domain='example.org')}".encode(), head, count=1)
    return head + blank + body


def _later(moment: bytes, age: timedelta) -> bytes:
    return format_datetime(parsedate_to_datetime(moment.decode()) + age).encode()
