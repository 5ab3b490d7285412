"""aiosmtpd's SMTP protocol with what we correct in it (version 1.4.6).

aiosmtpd keeps the transport, the stream and the timer. Ours are: the command loop (CRLF only, one limit for a line,
bounded memory, an error budget), replies that are written together when the loop comes round (RFC 2920), DATA in
chunks, STARTTLS by the loop's own `start_tls`, an end to every exception that tells nothing and leaves nothing
behind, and silence in the log about what the client said.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final, cast

import structlog
from aiosmtpd.smtp import SMTP

from mailkeep.domain.ids import new_id
from mailkeep_mxd import replies
from mailkeep_mxd.data import CRLF
from mailkeep_mxd.door import Door, Flavour, client_ip_of
from mailkeep_mxd.faults import log_fault
from mailkeep_mxd.inbox import STREAM_LIMIT_BYTES, EndlessLine, Inbox
from mailkeep_mxd.outbox import Outbox
from mailkeep_mxd.patience import Patience
from mailkeep_mxd.replies import Reply
from mailkeep_mxd.session import MailSession
from mailkeep_mxd.tls import tls_name

log: structlog.stdlib.BoundLogger = structlog.get_logger()

MAX_COMMAND_BYTES: Final = 512  # RFC 5321 section 4.5.3.1.4, with its CRLF
# MAIL is longer by SIZE= (RFC 1870 section 3), BODY= (RFC 6152 section 2) and SMTPUTF8 (RFC 6531 section 3.1).
MAX_MAIL_BYTES: Final = MAX_COMMAND_BYTES + 26 + 17 + 10

WRITE_TOGETHER_BYTES: Final = 16 * 1024
COMMANDS_IN_A_ROW: Final = 100
LINGER_S: Final = 2.0
CLOSE_S: Final = 5.0
TLS_HANDSHAKE_S: Final = 30.0
TLS_HANDSHAKE_RECORD: Final = b"\x16"  # RFC 8446 section 5.1: the first byte of a client that speaks TLS at once

# A browser that was made to speak to us (a cross-protocol attack): nothing of what follows is a command.
HTTP_VERBS: Final = frozenset({"GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "DELETE", "PATCH", "TRACE"})
# The arguments of these are addresses, and are refused as such (501 5.1.3) whatever they hold.
_WITH_ADDRESS: Final = frozenset({"MAIL", "RCPT"})


def silence_aiosmtpd() -> None:
    """Its logger writes whole commands and message lines; what we log are ids, sizes and codes."""
    logger = logging.getLogger("mail.log")
    logger.setLevel(logging.CRITICAL + 1)
    logger.propagate = False


class _NoHooks:
    """aiosmtpd's handler object; the session takes its place."""

    def __dir__(self) -> list[str]:
        return []


_NO_HOOKS: Final = _NoHooks()


class MailProtocol(SMTP):
    """One connection."""

    line_length_limit = STREAM_LIMIT_BYTES  # what aiosmtpd gives to its StreamReader
    command_size_limits: dict[str, int] = {}  # noqa: RUF012 - aiosmtpd clears and grows its own, shared by all; unused

    def __init__(self, door: Door, flavour: Flavour) -> None:
        super().__init__(
            _NO_HOOKS,
            hostname=door.hostname,
            timeout=door.limits.idle_timeout_s,
            data_size_limit=door.limits.max_message_bytes,
            enable_SMTPUTF8=True,
            loop=asyncio.get_running_loop(),
        )
        self._limits = door.limits
        self._door = door
        self._flavour = flavour
        self._id = new_id()
        self._tls = ""
        self._patience = Patience(door.limits, self.loop.time())
        self._inbox = Inbox()
        self._outbox = Outbox(self.loop)
        self._write_paused = False
        self._awaits_command = False
        self._commands = 0
        self._errors = 0
        self._hanging_up = False
        self._stopping = False

    def __dir__(self) -> list[str]:
        """Empty: aiosmtpd looks through all attributes of each new connection for verbs, which costs more than MAIL."""
        return []

    # The wire, as the session sees it

    @property
    def client_ip(self) -> str:
        return client_ip_of(self._stream)

    @property
    def tls(self) -> str:
        return self._tls

    @property
    def has_input(self) -> bool:
        return self._inbox.waiting_bytes > 0

    def send(self, *answers: Reply) -> None:
        """Queue replies; they are written when the loop comes round, or sooner when there are many."""
        self._errors += sum(answer.blames_client for answer in answers)
        self._outbox.put(b"".join(answer.encode() for answer in answers))

    def send_lines(self, *lines: str) -> None:
        self._outbox.put("".join(f"{line}\r\n" for line in lines).encode())

    def hang_up(self) -> None:
        self._hanging_up = True

    async def content(self) -> AsyncGenerator[bytes, None]:
        """The message, unstuffed (see data.py). Raises IncompleteReadError when the client is gone."""
        self._patience.begin_content()
        self._reset_timeout(self._patience.first_look_s)
        self._patience.wait(self.loop.time())
        async with aclosing(self._inbox.content()) as chunks:
            async for chunk in chunks:
                self._patience.go_on(self.loop.time())
                yield chunk
                self._patience.wait(self.loop.time())
        self._patience.end_content()
        self._patience.go_on(self.loop.time())

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Go on under TLS. Raises ConnectionError when there is none with this client.

        What the client sent before its handshake is thrown away: whoever can write into the connection could have
        (RFC 3207 section 6, CVE-2011-0411). Between that and the handshake nothing waits, so nothing else can come.
        """
        self._outbox.detach()
        if dropped_bytes := await self._inbox.drop():
            log.warning("session.injected", bytes=dropped_bytes)
        self._over_ssl = True  # what `eof_received` answers depends on it, and the end may come with the handshake
        try:
            stream = await self.loop.start_tls(
                self._stream,
                self,
                context,
                server_side=True,
                ssl_handshake_timeout=TLS_HANDSHAKE_S,
                ssl_shutdown_timeout=CLOSE_S,
            )
        except OSError as error:  # ssl.SSLError is an OSError
            log.info("session.tls_failed", reason=getattr(error, "reason", None) or type(error).__name__)
            raise ConnectionAbortedError from error
        if stream is None:
            raise ConnectionAbortedError
        self._go_on_over(stream)

    # The life of the connection, called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._stream = cast("asyncio.Transport", transport)
        self._outbox.attach(self._stream)
        self._session = MailSession(self, self._door, self._flavour)
        super().connection_made(transport)
        self._inbox.attach(self._reader)
        self._reset_timeout(self._patience.first_look_s)
        log.debug("session.opened", session_id=self._id, client_ip=self.client_ip)

    def data_received(self, data: bytes) -> None:
        if not self._inbox.fed_bytes and data.startswith(TLS_HANDSHAKE_RECORD):
            log.info("session.tls_on_plain_port", session_id=self._id)
            self._say_last(replies.UNKNOWN_COMMAND)
            return
        self._inbox.fed(len(data))
        super().data_received(data)

    def eof_received(self) -> bool | None:
        """Answer what was sent before; aiosmtpd would drop it."""
        return asyncio.StreamReaderProtocol.eof_received(self)

    def pause_writing(self) -> None:
        self._write_paused = True
        super().pause_writing()

    def resume_writing(self) -> None:
        self._write_paused = False
        super().resume_writing()

    def _timeout_cb(self) -> None:
        """Called by aiosmtpd's timer. Only the time for which the client keeps us waiting counts."""
        if self._stream.is_closing():
            self._stream.abort()  # the client does not even read our last reply
            return
        remaining_s, reply = self._patience.left(self.loop.time(), self._inbox.content_bytes)
        if remaining_s > 0:
            self._reset_timeout(remaining_s)
            return
        log.info("session.out_of_patience", session_id=self._id, reason=reply.text)
        self._say_last(reply)

    # Stopping

    @property
    def conversation(self) -> asyncio.Task[None]:
        """The task that answers the client; it ends when the connection does, or before."""
        return cast("asyncio.Task[None]", self._handler_coroutine)

    def stop(self) -> None:
        """Say 421 and close: at once between commands, after its replies when a command or a message is under way."""
        self._stopping = True
        if self._awaits_command:
            self._say_last(replies.SHUTTING_DOWN)

    def abort(self) -> None:
        """Close at once; a message that was not answered stays with the client."""
        self._say_last(replies.SHUTTING_DOWN)
        self._stream.abort()

    def _say_last(self, reply: Reply) -> None:
        """From outside of the conversation, which ends with the connection."""
        if not self._hanging_up:
            self.send(reply)
        self._close()

    def _close(self) -> None:
        self._hanging_up = True
        self._outbox.flush()
        self._stream.close()
        if self.transport is not None:
            self._reset_timeout(CLOSE_S)

    # The conversation

    async def _handle_client(self) -> None:
        structlog.contextvars.bind_contextvars(session_id=self._id)
        try:
            self._session.greet()
            await self._converse()
            await self._close_gently()
        except (asyncio.IncompleteReadError, ConnectionError):
            log.debug("session.client_gone")
        except Exception as error:  # noqa: BLE001 - the edge of the room
            log_fault("session.failed", error)
            self._session.reset()
            self.send(replies.TRY_AGAIN)
            await self._close_gently()
        finally:
            self._session.reset()
            self._close()

    async def _converse(self) -> None:
        in_a_row = 0
        while not self._hanging_up:
            line = await self._read_command()
            await self._obey(line)
            self._commands += 1
            if not self._hanging_up:
                self._check_budget()
            in_a_row += 1
            if self._outbox.pending_bytes > WRITE_TOGETHER_BYTES or self._write_paused:
                await self._drain()
            elif in_a_row >= COMMANDS_IN_A_ROW:
                in_a_row = 0
                await asyncio.sleep(0)  # let the others in: what was pipelined is read without waiting

    async def _obey(self, line: bytes) -> None:
        text = line.removesuffix(b"\n").removesuffix(b"\r")
        verb_bytes, _, argument = text.partition(b" ")
        verb = verb_bytes.upper().decode("ascii", "replace")
        limit = MAX_MAIL_BYTES if verb == "MAIL" else MAX_COMMAND_BYTES
        is_text = line.endswith(CRLF) and (verb in _WITH_ADDRESS or not (b"\r" in text or b"\0" in text))
        if not is_text or len(line) > limit or not verb.isalpha():
            self.send(replies.SYNTAX_ERROR)
        elif verb in HTTP_VERBS:
            log.info("session.http_on_mail_port")
            self.send(replies.UNKNOWN_COMMAND)
            self.hang_up()
        else:
            await self._session.obey(verb, argument.rstrip(b" ").decode("utf-8", "surrogateescape"))

    def _check_budget(self) -> None:
        reply = self._last_reply()
        if reply is not None:
            log.info("session.ended", reason=reply.text, commands=self._commands, errors=self._errors)
            self.send(reply)
            self.hang_up()

    def _last_reply(self) -> Reply | None:
        """Why the session ends after this command, if it does."""
        limits = self._limits
        if self._stopping:
            return replies.SHUTTING_DOWN
        refused = self._session.refused_recipients
        if self._errors >= limits.max_errors or refused >= max(limits.max_errors, limits.max_recipients):
            return replies.TOO_MANY_ERRORS
        if self._commands >= limits.max_commands and not self._session.in_transaction:
            return replies.TOO_MANY_COMMANDS
        return replies.SESSION_TOO_LONG if self._patience.is_session_over(self.loop.time()) else None

    async def _read_command(self) -> bytes:
        """A line with its end; empty for one that is too long."""
        self._patience.wait(self.loop.time())
        self._awaits_command = True
        try:
            line = await self._inbox.line()
        except EndlessLine:
            self._errors += self._limits.max_errors
            line = b""
        self._awaits_command = False
        self._patience.go_on(self.loop.time())
        return line

    def _go_on_over(self, stream: asyncio.Transport) -> None:
        """Read and write through TLS. asyncio has no public way to give a stream another transport (Python 3.11)."""
        self._stream = self.transport = stream
        self._reader._transport = stream  # type: ignore[attr-defined]  # noqa: SLF001 - pauses and resumes it
        self._writer._transport = stream  # type: ignore[attr-defined]  # noqa: SLF001 - drains it
        self._outbox.attach(stream)
        self._tls = tls_name(stream)
        log.debug("session.tls", tls=self._tls)

    # Writing

    async def _drain(self) -> None:
        self._outbox.flush()
        self._patience.wait(self.loop.time())
        await self._writer.drain()
        self._patience.go_on(self.loop.time())

    async def _close_gently(self) -> None:
        """Half-close and read on for a moment: closing over unread input resets the connection, and the client
        might never see our last reply."""
        self._hanging_up = True
        self._outbox.flush()
        if self._stream.is_closing() or not self._stream.can_write_eof():
            return
        try:
            self._stream.write_eof()
        except OSError as error:  # the client has reset the connection
            raise ConnectionAbortedError from error
        try:
            async with asyncio.timeout(LINGER_S):
                await self._inbox.drain()
        except TimeoutError:
            log.debug("session.linger_over")
