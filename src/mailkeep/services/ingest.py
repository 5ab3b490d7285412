"""Mail coming in: understood while it arrives, its bytes made durable, then visible in one transaction.

The order is the promise: the scanner first, if there is one, then blobs, then the rows, then the answer. A crash can
leave a blob that nothing refers to, never a message without its bytes.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

import structlog
import zstandard

from mailkeep.domain.clock import Clock
from mailkeep.domain.ids import new_id
from mailkeep.domain.message import Attachment, Transport
from mailkeep.domain.recipient import Recipient
from mailkeep.errors import MailkeepError, MailLoop, NotFound, StorageUnavailable
from mailkeep.mail.filenames import stored_name
from mailkeep.mail.headers import queue_id_at
from mailkeep.mail.limits import MAX_RECEIVED
from mailkeep.mail.parse import MessageParser
from mailkeep.mail.parsed import ParsedFile, ParsedMessage
from mailkeep.mail.search_entry import Searchable, entry_of, with_envelope
from mailkeep.mail.spool import Spool
from mailkeep.services.delivery_batches import DeliveryBatches, Outcome, Unit
from mailkeep.services.scanning import Findings, Scanner
from mailkeep.storage.blobs.blob_store import BlobStore
from mailkeep.storage.contents import Content
from mailkeep.storage.messages import NewMessage
from mailkeep.storage.search_blocks import pack
from mailkeep.storage.underway import Mark, Underway, key_of, open_underway

Result = TypeVar("Result")

log: structlog.stdlib.BoundLogger = structlog.get_logger()

# Up to here the work on a chunk takes less time than handing it to a thread and back.
INLINE_BYTES: Final = 32 * 1024
COMPRESSION_LEVEL: Final = 1
# As many as run at once on a small machine: more would only take the interpreter from the event loop.
PARSE_THREADS: Final = 2
# So many processes may die over a mail before it is kept without being taken apart.
MAX_DEATHS: Final = 2


@dataclass(frozen=True, slots=True)
class AcceptedRecipient:
    """A recipient as RCPT named it, and what the recipient table knows of it."""

    address: str
    tag: str | None
    recipient: Recipient


@dataclass(frozen=True, slots=True)
class Incoming:
    """A transaction at its DATA: who sends, to whom, by which way.

    `queue_id` is what the client calls the message, where it says so, as `host/id`: with it a second delivery is
    recognised. It stands for what the top Received field says, which a client of ours writes in the same way.
    `hop_is_trusted`: the client itself wrote the top Received field, so the TLS that it names is the sender's.
    """

    mail_from: str
    recipients: tuple[AcceptedRecipient, ...]
    transport: Transport
    queue_id: str = ""
    hop_is_trusted: bool = False


class Ingest:
    """Takes messages in. One object serves all sessions."""

    def __init__(
        self,
        batches: DeliveryBatches,
        blobs: BlobStore,
        threads: Executor,
        underway: Underway,
        scanner: Scanner | None,
        *,
        clock: Clock,
    ) -> None:
        self._batches = batches
        self._blobs = blobs
        self._threads = threads
        self._underway = underway
        self._scanner = scanner
        self._clock = clock

    def begin(self, incoming: Incoming) -> Delivery:
        """A delivery to be fed with the message's bytes."""
        return Delivery(
            incoming, self._batches, self._blobs, self._threads, self._underway, self._scanner, clock=self._clock
        )


@asynccontextmanager
async def open_ingest(
    batches: DeliveryBatches, blobs: BlobStore, scanner: Scanner | None, *, underway_dir: Path, clock: Clock
) -> AsyncIterator[Ingest]:
    """`scanner` is None when nothing is scanned. Raises ConfigurationError when `underway_dir` cannot be written to."""
    with (
        open_underway(underway_dir) as underway,
        ThreadPoolExecutor(PARSE_THREADS, thread_name_prefix="parse") as threads,
    ):
        yield Ingest(batches, blobs, threads, underway, scanner, clock=clock)


class Delivery:
    """One message on its way in. Leaving the context without `finish` abandons it."""

    def __init__(
        self,
        incoming: Incoming,
        batches: DeliveryBatches,
        blobs: BlobStore,
        threads: Executor,
        underway: Underway,
        scanner: Scanner | None,
        *,
        clock: Clock,
    ) -> None:
        self._incoming = incoming
        self._batches = batches
        self._blobs = blobs
        self._threads = threads
        self._underway = underway
        self._scanner = scanner
        self._clock = clock
        self._queue_id = incoming.queue_id
        self._mark: Mark | None = None
        self._source: Spool = blobs.spool()
        self._compressor = zstandard.ZstdCompressor(level=COMPRESSION_LEVEL).compressobj()
        self._parser = MessageParser(blobs.spool)
        self._digest = hashlib.sha256()
        self._size_bytes = 0
        # A cancelled session leaves its last chunk behind in a thread.
        self._at_work = threading.Lock()
        self._over = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.abandon()

    async def feed(self, chunk: bytes) -> None:
        """The next bytes of the message, as they are to be stored.

        Raises StorageUnavailable, and MessageTooLarge for too many bytes of attachments; the delivery is over then.
        """
        if self._size_bytes == 0:
            self._note(chunk)
        self._size_bytes += len(chunk)
        if self._size_bytes <= INLINE_BYTES:
            self._absorb(chunk)
        else:
            await self._in_thread(self._absorb, chunk)

    async def finish(self) -> list[Outcome]:
        """Store the message; one outcome a recipient, in their order: None when it is durable and readable.

        Never raises on account of the message or the storage: those are outcomes.
        """
        try:
            inline = self._size_bytes <= INLINE_BYTES
            parsed, entries = self._understand() if inline else await self._in_thread(self._understand)
            if parsed.received_count > MAX_RECEIVED:
                raise MailLoop("too many Received fields")
            findings = await self._scanner.examine(self._source, parsed.files) if self._scanner is not None else None
            content, spools = self._content(parsed, findings)
            await self._blobs.store(spools)
        except MailkeepError as error:
            return [error] * len(self._incoming.recipients)
        unit = Unit(content, self._messages(parsed, content, entries))
        outcomes = await self._batches.store(unit)
        if not unit.content_stored and all(outcome is None or isinstance(outcome, NotFound) for outcome in outcomes):
            # Each had it already, or is gone. After another error the blobs stay: a lost commit may have succeeded.
            await self._remove(spools)
        return outcomes

    async def abandon(self) -> None:
        """Give up what was spooled. Does nothing after `finish` has stored it."""
        try:
            if self._size_bytes > INLINE_BYTES:
                await self._in_thread(self._discard)
            else:
                self._discard()
        finally:
            # Also when the session is cancelled meanwhile: a mark that stays would count at the next crash.
            if self._mark is not None:
                self._mark.end()

    def _note(self, beginning: bytes) -> None:
        """Before anything of it is parsed, note that we begin; what has brought processes down is not parsed again."""
        self._queue_id = self._queue_id or queue_id_at(beginning)
        if not self._queue_id:
            return
        self._mark = self._underway.begin(key_of(self._queue_id, self._incoming.mail_from))
        if self._mark is not None and self._mark.deaths >= MAX_DEATHS:
            log.warning("parse.skipped", deaths=self._mark.deaths)
            self._parser.skip()

    def _absorb(self, chunk: bytes) -> None:
        with self._at_work:
            if self._over:
                return
            self._digest.update(chunk)
            self._source.write(self._compressor.compress(chunk))
            self._parser.feed(chunk)

    def _understand(self) -> tuple[ParsedMessage, list[bytes]]:
        """What the message says, and its entry in the search index for each recipient."""
        with self._at_work:
            self._source.write(self._compressor.flush())
            parsed = self._parser.finish()
        return parsed, _entries(parsed, self._incoming.recipients)

    def _discard(self) -> None:
        with self._at_work:
            self._over = True
            self._source.discard()
            self._parser.discard()

    async def _in_thread(self, call: Callable[..., Result], *args: bytes) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call, *args)

    def _content(self, parsed: ParsedMessage, findings: Findings | None) -> tuple[Content, dict[str, Spool]]:
        """The content to be stored, and the spools under the keys that it names."""
        content_id = new_id()
        source_key = f"sources/{self._clock():%Y/%m/%d}/{content_id}.eml.zst"
        malware = findings.files if findings is not None else ("",) * len(parsed.files)
        files = [(_attachment(file, found), file.spool) for file, found in zip(parsed.files, malware, strict=True)]
        content = Content(
            id=content_id,
            source_key=source_key,
            source_sha256=self._digest.hexdigest(),
            size_bytes=self._size_bytes,
            message_id=parsed.message_id,
            date=parsed.date,
            headers=parsed.headers,
            senders=parsed.senders,
            to=parsed.to,
            cc=parsed.cc,
            reply_to=parsed.reply_to,
            text=parsed.text,
            html=parsed.html,
            defects=parsed.defects,
            structure=parsed.structure,
            malware=findings.message if findings is not None else "",
            attachments=tuple(attachment for attachment, _ in files),
        )
        return content, {source_key: self._source, **{attachment.blob_key: spool for attachment, spool in files}}

    def _messages(self, parsed: ParsedMessage, content: Content, entries: Sequence[bytes]) -> list[NewMessage]:
        received_at = self._clock()
        transport = self._incoming.transport
        if self._incoming.hop_is_trusted:
            transport = replace(transport, tls=parsed.received_tls)
        return [
            NewMessage(
                id=new_id(),
                account_id=accepted.recipient.account_id,
                address_id=accepted.recipient.address_id,
                content_id=content.id,
                delivery_key=_delivery_key(
                    self._incoming.queue_id or parsed.queue_id or self._queue_id, content, accepted.address
                ),
                mail_from=self._incoming.mail_from,
                rcpt_to=accepted.address,
                tag=accepted.tag,
                sender=parsed.sender,
                subject=parsed.subject,
                snippet=parsed.snippet,
                size_bytes=content.size_bytes,
                has_attachments=bool(content.attachments),
                received_at=received_at,
                transport=transport,
                entry=entry,
            )
            for accepted, entry in zip(self._incoming.recipients, entries, strict=True)
        ]

    async def _remove(self, spools: Mapping[str, Spool]) -> None:
        """Remove blobs that no row came to refer to. What stays behind is an orphan, which the worker removes."""
        try:
            await self._blobs.delete(spools.keys())
        except StorageUnavailable:
            log.warning("blobs.orphaned", count=len(spools))


def _entries(parsed: ParsedMessage, recipients: Sequence[AcceptedRecipient]) -> list[bytes]:
    entry = entry_of(
        Searchable(
            senders=parsed.senders,
            recipients=(*parsed.to, *parsed.cc),
            subject=parsed.subject,
            headers=parsed.headers,
            text=parsed.text,
            html=parsed.html,
            filenames=tuple(file.filename for file in parsed.files),
        )
    )
    return [pack(with_envelope(entry, rcpt_to=recipient.address, tag=recipient.tag)) for recipient in recipients]


def _delivery_key(queue_id: str, content: Content, rcpt_to: str) -> str:
    """What two deliveries of one mail to one recipient have in common.

    A client that lost our reply to the final dot sends the mail again, under the same queue id. The Message-ID is
    no such mark: the sender chooses it. Without a queue id every delivery is one of its own.
    """
    source = f"{queue_id}\n{content.source_sha256}" if queue_id else content.id
    return hashlib.sha256(f"{source}\n{rcpt_to}".encode(errors="surrogateescape")).hexdigest()


def _attachment(file: ParsedFile, malware: str) -> Attachment:
    attachment_id = new_id()
    return Attachment(
        id=attachment_id,
        filename=file.filename,
        declared_type=file.declared_type,
        detected_type=file.detected_type,
        size_bytes=file.size_bytes,
        sha256=file.sha256,
        disposition=file.disposition,
        content_id=file.content_id,
        section=file.section,
        # The hash leads, so that nobody chooses where a file lies; the id makes it one message's own.
        blob_key=f"attachments/{file.sha256[:2]}/{file.sha256[:16]}-{attachment_id}-{stored_name(file.filename)}",
        malware=malware,
    )
