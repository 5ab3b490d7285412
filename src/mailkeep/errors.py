"""What can go wrong, sorted by what the caller should do next.

MailkeepError
├── InvalidInput         the caller must change the request; `field` names the culprit
│   ├── NameReserved         the name belongs to whoever runs the domain
│   ├── QueryError           a search; `position` and `length` say where
│   ├── ConfigurationError   the operator must change a setting
│   └── SignatureInvalid     a notice that is not signed by whom it claims to be from, or too old
├── NotFound             it does not exist, or belongs to somebody else
│   └── BillingOff           this service takes no payments
├── Conflict             it exists already
│   ├── AlreadySubscribed    the account pays already
│   └── NotSubscribed        the account has never paid
├── PreconditionFailed   it is no longer what the caller has seen
├── NotAuthenticated     nobody, or somebody we cannot recognise
├── NotAllowed           we know who it is; they may not do this
│   └── Quarantined          the bytes hold malware: nobody gets them
├── Refused              a limit of the account or the service
│   ├── LimitReached     of the tier: addresses
│   ├── RateExceeded     too many for now; `retry_after_s`
│   ├── QuotaExceeded    no storage left
│   ├── MessageTooLarge
│   ├── MailLoop         it has been on its way for too many hops
│   └── Infected         a scanner found malware in the message
└── Unavailable          try again later; nothing was stored
    ├── DatabaseUnavailable
    ├── StorageUnavailable   the blob store
    ├── ScannerUnavailable   the scanner did not look at all of it; the text says why
    ├── PaymentsUnavailable  Stripe does not answer, or not as it should
    ├── MemoryBudgetExceeded
    └── SchemaOutdated       `mailkeep db upgrade` has not been run
"""

from __future__ import annotations


class MailkeepError(Exception):
    """Root of every error that Mailkeep raises on purpose."""


class InvalidInput(MailkeepError):
    """The caller must change the request. `field` is the name of the input at fault, where there is one."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class NameReserved(InvalidInput):
    """The address speaks for whoever runs the domain, and is given to nobody."""


class QueryError(InvalidInput):
    """A search that cannot be read. The message is for whoever wrote it, and repeats nothing of what they wrote.

    `position` counts characters from 0 and is within the text; `length` is at least 1.
    """

    def __init__(self, message: str, *, position: int, length: int) -> None:
        super().__init__(message, field="q")
        self.position = position
        self.length = length


class ConfigurationError(InvalidInput):
    """A setting is wrong; the message says which and what to do."""


class SignatureInvalid(InvalidInput):
    """A notice from outside that is not signed with our secret, or was signed too long ago."""


class NotFound(MailkeepError):
    """It does not exist, or it belongs to somebody else: the answer is the same."""


class BillingOff(NotFound):
    """This service takes no payments: no keys are configured."""


class Conflict(MailkeepError):
    """It exists already."""


class AlreadySubscribed(Conflict):
    """The account has a subscription: another one would be paid for twice."""


class NotSubscribed(Conflict):
    """The account has never begun to pay, so there is nothing to manage."""


class PreconditionFailed(MailkeepError):
    """It is no longer what the caller has seen: somebody else has changed it."""


class NotAuthenticated(MailkeepError):
    """The credentials are missing, wrong, expired or revoked."""


class NotAllowed(MailkeepError):
    """The actor is known and may not do this."""


class Quarantined(NotAllowed):
    """A scanner found malware in these bytes; nobody is given them."""


class Refused(MailkeepError):
    """A limit of the account or of the service."""


class LimitReached(Refused):
    """The tier allows no more of these."""


class RateExceeded(Refused):
    """Too many for now."""

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class QuotaExceeded(Refused):
    """The account has no storage left."""


class MessageTooLarge(Refused):
    """Larger than the service accepts."""


class MailLoop(Refused):
    """The message has passed through more servers than any way to us has."""


class Infected(Refused):
    """A scanner found malware in the message, and the service is set to refuse such mail."""


class Unavailable(MailkeepError):
    """Try again later; nothing was stored."""


class DatabaseUnavailable(Unavailable):
    """The database does not answer."""


class StorageUnavailable(Unavailable):
    """The blob store does not take or give bytes."""


class ScannerUnavailable(Unavailable):
    """The malware scanner did not look at all of the message: mail is not accepted unscanned."""


class PaymentsUnavailable(Unavailable):
    """The payment service does not answer, or refuses what we ask; nothing was changed here."""


class MemoryBudgetExceeded(Unavailable):
    """Too many bytes of mail are being received at this moment."""


class SchemaOutdated(Unavailable):
    """The database has another schema than this version needs."""
