"""What one client may say, and what it is told: the verbs of LMTP (RFC 2033) and SMTP (RFC 5321).

The session unpacks the wire, asks the recipient directory and core, and packs the answer. It decides nothing about
mail, and knows nothing of sockets.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import structlog

from mailkeep.domain.message import Transport
from mailkeep.errors import MemoryBudgetExceeded
from mailkeep.services.ingest import AcceptedRecipient, Incoming
from mailkeep_mxd import replies
from mailkeep_mxd.delivery import answer_each, answer_once, receive, without_duplicates
from mailkeep_mxd.door import Door, Flavour, Wire
from mailkeep_mxd.memory import Reservation
from mailkeep_mxd.refusals import Origin
from mailkeep_mxd.replies import Reply
from mailkeep_mxd.syntax import MailArgument, Rejected, parse_mail, parse_rcpt
from mailkeep_mxd.xforward import ATTRIBUTES, Forwarded, is_trusted, updated

log: structlog.stdlib.BoundLogger = structlog.get_logger()

# RFC 5321 section 4.1.1.1 wants a domain or a literal; what is printable is kept: it is shown, and never used.
_CLIENT_NAME: Final = re.compile(r"[\x21-\x7e]{1,255}")
# RFC 3207 section 4: what may be said before TLS where it is required; LMTP's EHLO is LHLO.
_BEFORE_TLS: Final = frozenset({"NOOP", "EHLO", "LHLO", "STARTTLS", "QUIT"})


@dataclass(slots=True)
class Transaction:
    """From MAIL to the replies after the final dot, or to whatever ends it before."""

    mail: MailArgument
    origin: Origin
    accepted: list[AcceptedRecipient] = field(default_factory=list)


class MailSession:
    """One connection's conversation. `refused_recipients` counts since the last message that was stored."""

    def __init__(self, wire: Wire, door: Door, flavour: Flavour) -> None:
        self.refused_recipients = 0
        self._wire = wire
        self._door = door
        self._flavour = flavour
        self._may_forward = is_trusted(wire.client_ip, door.limits.xforward_networks)
        self._client_name = ""
        self._is_extended = False
        self._transaction: Transaction | None = None
        self._forwarded: Forwarded | None = None

    @property
    def in_transaction(self) -> bool:
        return self._transaction is not None

    def greet(self) -> None:
        self._wire.send_lines(f"220 {self._door.hostname} {self._flavour.extended_name} Mailkeep")

    async def obey(self, verb: str, argument: str) -> None:
        """One command. Its replies have been sent when it returns."""
        command = COMMANDS.get(verb)
        if self._door.limits.tls == "required" and not self._wire.tls and verb not in _BEFORE_TLS:
            self._refuse_early(verb)
        elif command is not None:
            await command(self, argument)
        else:
            self._wire.send(replies.NOT_OFFERED if verb in NOT_OFFERED else replies.UNKNOWN_COMMAND)

    def reset(self) -> None:
        """Back to where MAIL may come, and to the client itself: what XFORWARD said is for one message."""
        if self._transaction is not None:
            self._door.recipients.release(self._transaction.accepted)
        self._transaction = None
        self._forwarded = None

    async def lhlo(self, argument: str) -> None:
        self._greeted("LHLO", argument)

    async def ehlo(self, argument: str) -> None:
        self._greeted("EHLO", argument)

    async def helo(self, argument: str) -> None:
        self._greeted("HELO", argument)

    async def mail(self, argument: str) -> None:
        if not self._client_name:
            self._wire.send(replies.GREET_FIRST)
        elif self._transaction is not None:
            self._wire.send(replies.NESTED_MAIL)
        else:
            self._wire.send(self._begin(argument))

    async def rcpt(self, argument: str) -> None:
        if self._transaction is None:
            self._wire.send(replies.NEED_MAIL if self._client_name else replies.GREET_FIRST)
        else:
            self._wire.send(await self._add_recipient(self._transaction, argument))

    async def data(self, argument: str) -> None:
        transaction = self._transaction
        if argument:
            self._refuse_data(replies.BAD_ARGUMENT)
        elif transaction is None:
            self._refuse_data(replies.NEED_MAIL if self._client_name else replies.GREET_FIRST)
        elif not transaction.accepted:
            self._refuse_data(replies.NO_RECIPIENTS)
        else:
            await self._take_message(transaction)

    async def starttls(self, argument: str) -> None:
        if self._door.tls is None:
            self._wire.send(replies.NOT_OFFERED)
        elif argument:
            self._wire.send(replies.BAD_ARGUMENT)
        elif self._wire.tls:
            self._wire.send(replies.TLS_BEGUN)
        elif not self._is_extended:
            self._wire.send(replies.GREET_FIRST)
        elif self._transaction is not None:
            self._wire.send(replies.NESTED_MAIL)
        else:
            self._wire.send(replies.TLS_READY)
            self._forget()
            await self._wire.start_tls(self._door.tls.context())

    async def xforward(self, argument: str) -> None:
        if not self._may_forward:
            self._wire.send(replies.NO_XFORWARD)
        elif not self._client_name:
            self._wire.send(replies.GREET_FIRST)
        elif self._transaction is not None:
            self._wire.send(replies.NO_XFORWARD_NOW)
        else:
            self._wire.send(self._forward(argument))

    async def rset(self, argument: str) -> None:
        if argument:
            self._wire.send(replies.BAD_ARGUMENT)
            return
        self.reset()
        self._wire.send(replies.OK)

    async def noop(self, _argument: str) -> None:
        self._wire.send(replies.OK)

    async def vrfy(self, argument: str) -> None:
        self._wire.send(replies.CANNOT_VERIFY if argument else replies.BAD_ARGUMENT)

    async def help(self, _argument: str) -> None:
        self._wire.send(replies.HELP)

    async def quit(self, argument: str) -> None:
        if argument:
            self._wire.send(replies.BAD_ARGUMENT)
            return
        self._wire.send(replies.BYE)
        self._wire.hang_up()

    def _greeted(self, verb: str, argument: str) -> None:
        if verb not in self._flavour.greetings:
            self._wire.send(replies.UNKNOWN_COMMAND)
            return
        if not _CLIENT_NAME.fullmatch(argument):
            self._wire.send(replies.BAD_ARGUMENT)
            return
        self.reset()
        self._client_name = argument
        self._is_extended = verb != "HELO"
        lines = (self._door.hostname, *self._extensions()) if self._is_extended else (self._door.hostname,)
        self._wire.send_lines(*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}")

    def _extensions(self) -> tuple[str, ...]:
        offered = ["PIPELINING", "ENHANCEDSTATUSCODES", "8BITMIME", "SMTPUTF8"]
        if self._door.tls is not None and not self._wire.tls:  # RFC 3207 section 4.2: not again after TLS
            offered.append("STARTTLS")
        if self._may_forward:
            offered.append(f"XFORWARD {' '.join(ATTRIBUTES)}")
        return (*offered, f"SIZE {self._door.limits.max_message_bytes}")

    def _forget(self) -> None:
        """RFC 3207 section 4.2: nothing that the client said before TLS is known after it."""
        self.reset()
        self._client_name = ""
        self._is_extended = False

    def _forward(self, argument: str) -> Reply:
        try:
            self._forwarded = updated(self._forwarded, argument)
        except Rejected as rejected:
            return rejected.reply
        return replies.OK

    def _begin(self, argument: str) -> Reply:
        try:
            mail = parse_mail(argument, is_extended=self._is_extended)
        except Rejected as rejected:
            return rejected.reply
        if mail.declared_bytes is not None and mail.declared_bytes > self._door.limits.max_message_bytes:
            return replies.TOO_LARGE
        transport = self._transport()
        self._transaction = Transaction(mail, Origin(mail.sender, transport.client_ip, transport.client_name))
        return replies.SENDER_OK

    async def _add_recipient(self, transaction: Transaction, argument: str) -> Reply:
        try:
            recipient = parse_rcpt(argument, smtputf8=transaction.mail.smtputf8)
        except Rejected as rejected:
            return rejected.reply
        if len(transaction.accepted) >= self._door.limits.max_recipients:
            return replies.TOO_MANY_RECIPIENTS
        decision = await self._door.recipients.accept(
            recipient.canonical, as_given=recipient.as_given, origin=transaction.origin
        )
        if isinstance(decision, AcceptedRecipient):
            transaction.accepted.append(decision)
            return replies.RECIPIENT_OK
        if not decision.is_temporary:
            self.refused_recipients += 1
        log.info("recipient.refused", code=decision.code, status=decision.status)
        return decision

    def _refuse_early(self, verb: str) -> None:
        if verb == "DATA":
            self._refuse_data(replies.TLS_REQUIRED)
        else:
            self._wire.send(replies.TLS_REQUIRED)

    def _refuse_data(self, reply: Reply) -> None:
        """Refuse DATA. A client that has sent its content already must not see it taken for commands."""
        self._wire.send(reply)
        if self._wire.has_input:
            self._wire.send(replies.OUT_OF_STEP)
            self._wire.hang_up()

    async def _take_message(self, transaction: Transaction) -> None:
        """Memory is claimed before 354: until then the client holds the message, and TCP holds the client."""
        reservation = self._door.memory.for_message(transaction.mail.declared_bytes)
        try:
            await reservation.claim()
        except MemoryBudgetExceeded as error:
            self._refuse_data(replies.reply_to(error))
            recipients = without_duplicates(transaction.accepted)
            await self._door.recipients.settle(recipients, [error] * len(recipients), transaction.origin)
            return
        try:
            await self._store(transaction, reservation)
        finally:
            reservation.release()
            self.reset()

    async def _store(self, transaction: Transaction, reservation: Reservation) -> None:
        recipients = without_duplicates(transaction.accepted)
        incoming = Incoming(
            transaction.mail.sender,
            recipients,
            transport=self._transport(),
            queue_id=self._queue_id(),
            hop_is_trusted=self._forwarded is not None,
        )
        async with self._door.ingest.begin(incoming) as delivery:
            self._wire.send(replies.SEND_CONTENT)
            received = await receive(
                delivery,
                self._wire.content(),
                reservation,
                recipients=len(recipients),
                max_bytes=self._door.limits.max_message_bytes,
            )
        if self._flavour.answers_each:
            self._wire.send(*answer_each(transaction.accepted, received.outcomes))
        else:
            self._wire.send(answer_once(received.outcomes))
        stored = sum(outcome is None for outcome in received.outcomes)
        log.info("message.answered", recipients=len(recipients), stored=stored)
        if stored:
            self.refused_recipients = 0
        if received.is_fault:
            self._wire.hang_up()
        await self._door.recipients.settle(recipients, received.outcomes, transaction.origin)

    def _transport(self) -> Transport:
        if self._forwarded is not None:
            return self._forwarded.transport
        protocol = self._flavour.extended_name if self._is_extended else self._flavour.name
        return Transport(client_ip=self._wire.client_ip, helo=self._client_name, protocol=protocol, tls=self._wire.tls)

    def _queue_id(self) -> str:
        """As core reads it from the top Received field: a Postfix greets with the name that it writes there.

        So a message is the same one with and without XFORWARD, and no other host's with the same id.
        """
        ident = self._forwarded.ident if self._forwarded is not None else ""
        return f"{self._client_name}/{ident}" if ident else ""


COMMANDS: Final[Mapping[str, Callable[[MailSession, str], Awaitable[None]]]] = {
    "LHLO": MailSession.lhlo,
    "EHLO": MailSession.ehlo,
    "HELO": MailSession.helo,
    "MAIL": MailSession.mail,
    "RCPT": MailSession.rcpt,
    "DATA": MailSession.data,
    "STARTTLS": MailSession.starttls,
    "XFORWARD": MailSession.xforward,
    "RSET": MailSession.rset,
    "NOOP": MailSession.noop,
    "VRFY": MailSession.vrfy,
    "HELP": MailSession.help,
    "QUIT": MailSession.quit,
}
# Commands of the standards that a client may try without having been offered them.
NOT_OFFERED: Final = frozenset({"AUTH", "BDAT", "EXPN", "ETRN", "TURN", "XCLIENT"})
