"""What was refused to addresses that exist, on its way to core: counted here, and handed over each second.

A flood of refusals costs one entry an address, reply and minute, and of those there is room for so many. What finds
no room is dropped, and the log says how many were.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final, Protocol

import structlog

from mailkeep.domain.clock import Clock, utc_now
from mailkeep.domain.refusal import MAX_HOST_CHARS, MAX_IP_CHARS, MAX_MAILBOX_CHARS, Refusal
from mailkeep.services.ingest import AcceptedRecipient
from mailkeep_mxd.faults import log_fault
from mailkeep_mxd.replies import Reply

MAX_WAITING: Final = 10_000
MAX_BATCH: Final = 200
FLUSH_EVERY_S: Final = 1.0
LAST_FLUSH_S: Final = 5.0
LOG_AGAIN_S: Final = 60.0

log: structlog.stdlib.BoundLogger = structlog.get_logger()

# Address id, code, enhanced code, minute.
_Key = tuple[str, int, str, int]


@dataclass(frozen=True, slots=True)
class Origin:
    """Who wanted to send, as far as is known at RCPT: the envelope's sender and the client."""

    mail_from: str
    client_ip: str
    client_name: str


class SinkUnavailable(Exception):
    """The refusals were not taken: offer them again later. `reason` is a constant for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RefusalSink(Protocol):
    """Where refusals are kept."""

    async def record(self, batch: Sequence[Refusal]) -> None:
        """Raises SinkUnavailable."""
        ...


class RefusalLog:
    """Collects refusals. Noting one never waits and never fails."""

    def __init__(self, sink: RefusalSink, *, max_waiting: int = MAX_WAITING, clock: Clock = utc_now) -> None:
        self.dropped = 0
        self._sink = sink
        self._max_waiting = max_waiting
        self._clock = clock
        self._waiting: dict[_Key, Refusal] = {}
        self._dropped_logged = 0
        self._logged_at = float("-inf")
        self._trouble = ""

    def note(self, refused: AcceptedRecipient, reply: Reply, origin: Origin) -> None:
        """A recipient that exists was answered with a refusal."""
        now = self._clock()
        address_id = refused.recipient.address_id
        key = address_id, reply.code, reply.status, int(now.timestamp() // 60)
        known = self._waiting.get(key)
        if known is not None:
            self._waiting[key] = replace(known, last_at=now, count=known.count + 1)
        elif len(self._waiting) >= self._max_waiting:
            self.dropped += 1
        else:
            self._waiting[key] = Refusal(
                address_id=address_id,
                code=reply.code,
                status=reply.status,
                reason=reply.text,
                mail_from=_plain(origin.mail_from, MAX_MAILBOX_CHARS),
                rcpt_to=_plain(refused.address, MAX_MAILBOX_CHARS),
                client_ip=_plain(origin.client_ip, MAX_IP_CHARS),
                client_name=_plain(origin.client_name, MAX_HOST_CHARS),
                first_at=now,
                last_at=now,
            )

    async def flush(self) -> None:
        """Hand over what waits. Raises SinkUnavailable; what was not taken waits on."""
        handing_over, self._waiting = self._waiting, {}
        try:
            while handing_over:
                keys = tuple(islice(handing_over, MAX_BATCH))
                await self._sink.record([handing_over[key] for key in keys])
                for key in keys:
                    del handing_over[key]
        finally:
            for key, refusal in handing_over.items():
                self._put_back(key, refusal)

    async def flush_safely(self) -> None:
        """`flush`, with what goes wrong in the log."""
        try:
            await self.flush()
        except SinkUnavailable as error:
            if error.reason != self._trouble:
                log.warning("refusals.not_taken", reason=error.reason, waiting=len(self._waiting))
            self._trouble = error.reason
        except Exception as error:  # noqa: BLE001 - the edge of the room: mail must not depend on this
            log_fault("refusals.failed", error)
            self._waiting.clear()  # what was never foreseen would come back each second
        else:
            self._trouble = ""
        self._log_dropped()

    def _put_back(self, key: _Key, refusal: Refusal) -> None:
        newer = self._waiting.get(key)
        if newer is not None:
            self._waiting[key] = replace(refusal, last_at=newer.last_at, count=refusal.count + newer.count)
        elif len(self._waiting) >= self._max_waiting:
            self.dropped += refusal.count
        else:
            self._waiting[key] = refusal

    def _log_dropped(self) -> None:
        if self.dropped > self._dropped_logged and time.monotonic() - self._logged_at >= LOG_AGAIN_S:
            log.warning("refusals.dropped", count=self.dropped - self._dropped_logged, waiting=len(self._waiting))
            self._dropped_logged = self.dropped
            self._logged_at = time.monotonic()


@asynccontextmanager
async def running_log(sink: RefusalSink) -> AsyncIterator[RefusalLog]:
    """Hands over what waits each second while the block lasts, and once more at its end."""
    refusals = RefusalLog(sink)
    stopping = asyncio.Event()
    keeper = asyncio.create_task(_keep_flushing(refusals, stopping))
    try:
        yield refusals
    finally:
        stopping.set()  # not cancelled: it may be in the middle of a transaction
        try:
            async with asyncio.timeout(LAST_FLUSH_S):
                await keeper
        except TimeoutError:
            log.warning("refusals.not_taken", reason="stopping")


async def _keep_flushing(refusals: RefusalLog, stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_EVERY_S):
                await stopping.wait()
        await refusals.flush_safely()


def _plain(text: str, max_chars: int) -> str:
    """What a client said, as text that every database takes and every page can show."""
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text[:max_chars]
    )
