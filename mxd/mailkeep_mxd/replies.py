"""Every reply that the door for mail gives, in one place.

The codes are RFC 5321 section 4.2.3, the enhanced ones RFC 3463. A 4xx keeps the mail in the client's queue and a
5xx bounces it, so whatever is our own fault is 4xx. No text here comes from an exception, and none is empty: an
enhanced status code without text can crash Postfix before 3.8.16, 3.9.10 and 3.10.9 (CVE-2026-43964).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mailkeep import errors


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply of one line: `550 5.1.1 no such address`. The 354 alone has no enhanced code (RFC 2034 section 4)."""

    code: int
    status: str
    text: str

    def __str__(self) -> str:
        return f"{self.code} {self.status} {self.text}" if self.status else f"{self.code} {self.text}"

    def encode(self) -> bytes:
        return f"{self}\r\n".encode()

    @property
    def is_temporary(self) -> bool:
        return 400 <= self.code < 500

    @property
    def blames_client(self) -> bool:
        """Whether it answers a wrong command. A refused recipient or message is no wrong command."""
        return 500 <= self.code < 510 or self.code in {530, 555}


OK: Final = Reply(250, "2.0.0", "ok")
SENDER_OK: Final = Reply(250, "2.1.0", "sender ok")
RECIPIENT_OK: Final = Reply(250, "2.1.5", "recipient ok")
BYE: Final = Reply(221, "2.0.0", "bye")
HELP: Final = Reply(214, "2.0.0", "RFC 5321 and RFC 2033; see the documentation of Mailkeep")
CANNOT_VERIFY: Final = Reply(252, "2.5.0", "not verified here: RCPT tells whether an address receives mail")
SEND_CONTENT: Final = Reply(354, "", "end the message with <CRLF>.<CRLF>")

NO_SUCH_RECIPIENT: Final = Reply(550, "5.1.1", "no such address here")
INACTIVE_RECIPIENT: Final = Reply(550, "5.2.1", "this address receives no mail at present")
RECIPIENT_OVER_QUOTA: Final = Reply(452, "4.2.2", "the mailbox is full")
RECIPIENTS_UNKNOWN: Final = Reply(451, "4.4.3", "recipients cannot be checked at present, try again later")
TOO_MANY_RECIPIENTS: Final = Reply(452, "4.5.3", "too many recipients, send the others in another transaction")
RATE_EXCEEDED: Final = Reply(450, "4.2.1", "this address receives too much mail at present, try again later")

TOO_LARGE: Final = Reply(552, "5.3.4", "the message is larger than is accepted here")
NO_MEMORY: Final = Reply(452, "4.3.1", "too much mail is arriving at present, try again later")
TRY_AGAIN: Final = Reply(451, "4.3.0", "not possible at present, try again later")

MAIL_LOOP: Final = Reply(554, "5.4.6", "too many hops: the message is in a loop")
INFECTED: Final = Reply(550, "5.7.1", "malware was found in the message")

BAD_RECIPIENT: Final = Reply(501, "5.1.3", "the recipient is no address that could exist here")
BAD_SENDER: Final = Reply(501, "5.1.7", "the sender is not an address")
BAD_ARGUMENT: Final = Reply(501, "5.5.4", "the argument of the command is wrong")
UNKNOWN_PARAMETER: Final = Reply(555, "5.5.4", "a parameter of the command is not known here")
SYNTAX_ERROR: Final = Reply(500, "5.5.2", "not a command line: at most 512 bytes of text, ended by CRLF")
UNKNOWN_COMMAND: Final = Reply(500, "5.5.1", "this command is not known here")
NOT_OFFERED: Final = Reply(502, "5.5.1", "this command is not offered here")
GREET_FIRST: Final = Reply(503, "5.5.1", "greet first")
NESTED_MAIL: Final = Reply(503, "5.5.1", "a transaction has already begun: RSET ends it")
NEED_MAIL: Final = Reply(503, "5.5.1", "MAIL comes first")
NO_RECIPIENTS: Final = Reply(503, "5.5.1", "no recipient has been accepted")

TLS_REQUIRED: Final = Reply(530, "5.7.0", "STARTTLS comes first")
TLS_READY: Final = Reply(220, "2.0.0", "ready to start TLS")
TLS_BEGUN: Final = Reply(503, "5.5.1", "TLS is on already")
NO_XFORWARD: Final = Reply(550, "5.7.1", "XFORWARD is not for this client")
NO_XFORWARD_NOW: Final = Reply(503, "5.5.1", "XFORWARD comes before MAIL")

TOO_MANY_ERRORS: Final = Reply(421, "4.7.0", "too many errors, closing")
TOO_MANY_CONNECTIONS: Final = Reply(421, "4.7.0", "too many connections, try again later")
TOO_MANY_COMMANDS: Final = Reply(421, "4.7.0", "enough for one session, connect again")
OUT_OF_STEP: Final = Reply(421, "4.7.0", "nothing may follow DATA before its reply, closing")
IDLE_TOO_LONG: Final = Reply(421, "4.4.2", "nothing arrived for too long, closing")
TOO_SLOW: Final = Reply(421, "4.4.2", "the message arrives too slowly, closing")
SESSION_TOO_LONG: Final = Reply(421, "4.4.2", "long enough for one session, connect again")
SHUTTING_DOWN: Final = Reply(421, "4.3.2", "shutting down, try again later")

# The first line that fits decides. Not in it: NotFound, because what is missing may be ours.
_BY_ERROR: Final[tuple[tuple[type[Exception], Reply], ...]] = (
    (errors.MessageTooLarge, TOO_LARGE),
    (errors.MailLoop, MAIL_LOOP),
    (errors.Infected, INFECTED),
    (errors.QuotaExceeded, RECIPIENT_OVER_QUOTA),
    (errors.RateExceeded, RATE_EXCEEDED),
    (errors.MemoryBudgetExceeded, NO_MEMORY),
)


def reply_to(error: Exception) -> Reply:
    """The reply for a message that could not be stored; temporary unless the table says otherwise."""
    return next((reply for kind, reply in _BY_ERROR if isinstance(error, kind)), TRY_AGAIN)


def stored(address: str) -> Reply:
    """The reply for one recipient whose copy is durable (RFC 2033 section 4.2). Takes an address that was checked."""
    return Reply(250, "2.0.0", f"<{address}> stored")


STORED: Final = Reply(250, "2.0.0", "stored")

ALL: Final = tuple(value for value in tuple(globals().values()) if isinstance(value, Reply))
