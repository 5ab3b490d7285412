"""From 354 to the replies: the content of one message into core, and what is said about it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import structlog

from mailkeep.errors import MailkeepError, MessageTooLarge, Unavailable
from mailkeep.services.ingest import AcceptedRecipient, Delivery
from mailkeep_mxd import replies
from mailkeep_mxd.faults import log_fault
from mailkeep_mxd.memory import Reservation
from mailkeep_mxd.replies import Reply

log: structlog.stdlib.BoundLogger = structlog.get_logger()

Outcome = Exception | None


@dataclass(frozen=True, slots=True)
class Received:
    """What became of a message: an outcome for each recipient that was handed to core, in order.

    `is_fault` says that something unforeseen happened, after which the connection is closed.
    """

    outcomes: Sequence[Outcome]
    is_fault: bool = False


def without_duplicates(accepted: Sequence[AcceptedRecipient]) -> tuple[AcceptedRecipient, ...]:
    """One for each address and tag, in order: a recipient given twice gets two replies and one copy."""
    unique: dict[tuple[str, str | None], AcceptedRecipient] = {}
    for recipient in accepted:
        unique.setdefault(_identity(recipient), recipient)
    return tuple(unique.values())


async def receive(
    delivery: Delivery,
    content: AsyncGenerator[bytes, None],
    reservation: Reservation,
    *,
    recipients: int,
    max_bytes: int,
) -> Received:
    """Read the content to its real end, whatever goes wrong on the way, and store it.

    Raises IncompleteReadError when the client is gone; the delivery is then abandoned by whoever opened it.
    """
    failure = await _feed(delivery, content, reservation, max_bytes)
    if failure is None:
        try:
            outcomes = await delivery.finish()
        except Exception as error:  # noqa: BLE001 - the edge of the room: each recipient is owed a reply
            failure = error
        else:
            _raise_alarm(outcomes)
            return Received(outcomes)
    if isinstance(failure, MailkeepError):
        _raise_alarm([failure])
        return Received([failure] * recipients)
    log_fault("message.failed", failure)
    return Received([failure] * recipients, is_fault=True)


def _raise_alarm(outcomes: Sequence[Outcome]) -> None:
    """Mail that we cannot take waits elsewhere, and nobody but the operator can end that. Once for each message."""
    unavailable = next((outcome for outcome in outcomes if isinstance(outcome, Unavailable)), None)
    if unavailable is not None:
        cause = unavailable.__cause__
        system_says = cause.strerror if isinstance(cause, OSError) else None
        log.error("message.deferred", reason=type(unavailable).__name__, system_says=system_says)


async def _feed(
    delivery: Delivery, content: AsyncGenerator[bytes, None], reservation: Reservation, max_bytes: int
) -> Outcome:
    """What kept the message from being taken. After the first failure the rest is read and thrown away."""
    failure: Outcome = None
    received_bytes = 0
    async with aclosing(content):
        async for chunk in content:
            if failure is not None:
                continue
            received_bytes += len(chunk)
            try:
                _check_size(received_bytes, max_bytes)
                reservation.account_for(received_bytes)
                await delivery.feed(chunk)
            except Exception as error:  # noqa: BLE001 - the edge of the room: the content must be read to its end
                failure = error
                await delivery.abandon()
    return failure


def _check_size(received_bytes: int, max_bytes: int) -> None:
    if received_bytes > max_bytes:
        raise MessageTooLarge("larger than lmtp.max_message_bytes")


def answer_each(accepted: Sequence[AcceptedRecipient], outcomes: Sequence[Outcome]) -> list[Reply]:
    """RFC 2033 section 4.2: a reply for each accepted RCPT, in order, also where one was given twice."""
    by_recipient = dict(zip(map(_identity, without_duplicates(accepted)), outcomes, strict=True))
    return [_answer(recipient, by_recipient[_identity(recipient)]) for recipient in accepted]


def answer_once(outcomes: Sequence[Outcome]) -> Reply:
    """SMTP has one reply for all recipients, so the worst one speaks for them.

    A temporary failure comes first: the client then sends the message again to everybody, and whoever has it
    already does not get it twice. A success is only said when it is everybody's.
    """
    failures = [replies.reply_to(outcome) for outcome in outcomes if outcome is not None]
    temporary = next((reply for reply in failures if reply.is_temporary), None)
    return temporary or next(iter(failures), replies.STORED)


def _answer(recipient: AcceptedRecipient, outcome: Outcome) -> Reply:
    return replies.stored(recipient.address) if outcome is None else replies.reply_to(outcome)


def _identity(accepted: AcceptedRecipient) -> tuple[str, str | None]:
    return accepted.recipient.address_id, accepted.tag
