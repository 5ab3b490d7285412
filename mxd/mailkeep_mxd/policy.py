"""Postfix's policy requests (SMTPD_POLICY_README): the same recipients, the same decisions, at Postfix's own RCPT.

So Postfix refuses an unknown recipient while its client is still there, and never has to bounce.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import structlog

from mailkeep.domain.address import canonical_address
from mailkeep.errors import InvalidInput
from mailkeep_mxd import replies
from mailkeep_mxd.faults import log_fault
from mailkeep_mxd.recipients import RecipientDirectory
from mailkeep_mxd.refusals import Origin
from mailkeep_mxd.replies import Reply

log: structlog.stdlib.BoundLogger = structlog.get_logger()

MAX_REQUEST_BYTES: Final = 16 * 1024
MAX_ATTRIBUTES: Final = 100
REQUEST_TIMEOUT_S: Final = 5.0
IDLE_TIMEOUT_S: Final = 600.0  # twice Postfix's smtpd_policy_service_max_idle


class MalformedRequest(Exception):
    """Not what Postfix sends."""


class PolicyServer:
    """Answers the requests of one Postfix after another on each connection, until it is closed."""

    def __init__(self, recipients: RecipientDirectory) -> None:
        self._recipients = recipients
        self._conversations: set[asyncio.Task[None]] = set()

    def protocol(self) -> asyncio.StreamReaderProtocol:
        """For a new connection."""
        return asyncio.StreamReaderProtocol(asyncio.StreamReader(limit=MAX_REQUEST_BYTES), self._accept)

    async def close(self) -> None:
        """End every connection; a request that was not answered is asked again by Postfix."""
        for task in self._conversations:
            task.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("connections are served in tasks")
        self._conversations.add(task)
        try:
            await self._converse(reader, writer)
        except (MalformedRequest, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            log.warning("policy.malformed", error=type(error).__name__)
        except (ConnectionError, TimeoutError, asyncio.CancelledError) as error:
            # Cancelled by `close` alone, which waits for this task and for nothing in it.
            log.debug("policy.closed", error=type(error).__name__)
        except Exception as error:  # noqa: BLE001 - the edge of the room
            log_fault("policy.failed", error)
        finally:
            self._conversations.discard(task)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            async with asyncio.timeout(IDLE_TIMEOUT_S):
                first = await reader.read(1)
            if not first:
                return
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                request = await _read_request(reader, first)
            action = await self._decide_in_time(request)
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                writer.write(f"action={action}\n\n".encode())
                await writer.drain()

    async def _decide_in_time(self, request: Mapping[str, str]) -> str:
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                return await self._decide(request)
        except TimeoutError:
            return action_for(replies.RECIPIENTS_UNKNOWN)

    async def _decide(self, request: Mapping[str, str]) -> str:
        """An action of access(5)."""
        if request.get("request") != "smtpd_access_policy":
            raise MalformedRequest
        recipient = request.get("recipient", "")
        if request.get("protocol_state") != "RCPT" or not recipient:
            return "DUNNO"
        try:
            canonical = canonical_address(recipient)
        except InvalidInput:
            return str(replies.NO_SUCH_RECIPIENT)
        origin = Origin(*(request.get(name, "") for name in ("sender", "client_address", "client_name")))
        decision = await self._recipients.decide(canonical, as_given=recipient, origin=origin)
        return action_for(decision) if isinstance(decision, Reply) else "DUNNO"


def action_for(reply: Reply) -> str:
    """A refusal with our code and text; a temporary one only counts when nothing else refuses the recipient."""
    return f"DEFER_IF_PERMIT {reply.status} {reply.text}" if reply.is_temporary else str(reply)


async def _read_request(reader: asyncio.StreamReader, first: bytes) -> Mapping[str, str]:
    """Lines `name=value` up to an empty one. Raises MalformedRequest, LimitOverrunError, UnicodeDecodeError."""
    attributes: dict[str, str] = {}
    size = 0
    line = first + await reader.readuntil(b"\n") if first != b"\n" else first
    while line != b"\n":
        size += len(line)
        name, equals, value = line[:-1].decode("utf-8").partition("=")
        if not equals or name in attributes or size > MAX_REQUEST_BYTES or len(attributes) >= MAX_ATTRIBUTES:
            raise MalformedRequest
        attributes[name] = value
        line = await reader.readuntil(b"\n")
    return attributes
