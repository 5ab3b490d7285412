"""Everything that an account holds, for its owner to take along: read a little at a time, in a fixed order.

The archive itself is put together by the room that hands it out, in the form in which it shows things. What is deleted
while it is written is left out and named; whatever else cannot be read ends it, so that an archive with an end is
complete.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from typing import Final, Protocol, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.domain.account import AccountStatus
from mailkeep.domain.export import ExpectedExport, ExportPart, LeftOut
from mailkeep.domain.message import Attachment, MessageDetail, MessageSummary
from mailkeep.domain.scope import Actor, Scope
from mailkeep.errors import NotAllowed, NotFound, RateExceeded, StorageUnavailable
from mailkeep.mail import mbox
from mailkeep.mail.filenames import visible_name
from mailkeep.services.inbox import Inbox
from mailkeep.storage import account_records, account_rows, accounts, contents, messages, schema
from mailkeep.storage.account_records import Kind, Record
from mailkeep.storage.blobs.blob_store import BlobStore
from mailkeep.storage.contents import ReceivedSource
from mailkeep.storage.database import Database
from mailkeep.storage.sources import decompressed

AT_ONCE: Final = 100
RECORDS_AT_ONCE: Final = 500
RETRY_AFTER_S: Final = 60
_SHARE_OF_MBOX: Final = 0.5
DELETED: Final = "deleted while the archive was written"

Row = TypeVar("Row")


class Page(Protocol[Row]):
    """A query for the rows of some of an account's messages."""

    async def __call__(
        self, connection: AsyncConnection, account_id: str, after: int, /, *, last: int, limit: int
    ) -> list[Row]: ...


class AccountExport:
    """For the owner, who logged in."""

    def __init__(self, database: Database, inbox: Inbox, blobs: BlobStore) -> None:
        self._database = database
        self._inbox = inbox
        self._blobs = blobs
        self._under_way: dict[str, float] = {}  # by account: which share of it is written

    @contextmanager
    def turn(self, actor: Actor) -> Iterator[None]:
        """One at a time for an account in this process. Raises RateExceeded, NotAllowed."""
        account_id = _owner(actor)
        if account_id in self._under_way:
            raise RateExceeded("an export of this account is under way", retry_after_s=RETRY_AFTER_S)
        self._under_way[account_id] = 0.0
        try:
            yield
        finally:
            del self._under_way[account_id]

    def progress(self, actor: Actor) -> float | None:
        """Which share of the export that this process writes is written, 0 to 1; None: it writes none.

        Raises NotAllowed.
        """
        return self._under_way.get(_owner(actor))

    async def expected(self, actor: Actor) -> ExpectedExport:
        """Raises NotAllowed."""
        account_id = _owner(actor)
        async with self._database.read() as connection:
            count = await account_rows.count(connection, schema.messages, account_id)
            return ExpectedExport(count, (await accounts.get(connection, account_id)).storage_bytes)

    async def part(self, actor: Actor, *, after: int, limit: int | None) -> ExportPart:
        """The messages of this moment, newer than the seq `after`; at most `limit` of them. Raises NotAllowed."""
        account_id = _owner(actor)
        async with self._database.read() as connection:
            newest = await messages.latest_seq(connection, account_id)
            last = newest
            if limit is not None:
                last = await messages.nth_seq(connection, account_id, after, limit) or newest
        return ExportPart(account_id, after, last, next_after=last if last < newest else None)

    async def records(self, actor: Actor, kind: Kind) -> AsyncGenerator[Record, None]:
        """The account's records of a kind, without secrets. Raises NotAllowed."""
        account_id, after = _owner(actor), ""
        while True:
            async with self._database.read() as connection:
                page = await account_records.page(connection, kind, account_id, after=after, limit=RECORDS_AT_ONCE)
            for record in page:
                yield record
            if len(page) < RECORDS_AT_ONCE:
                return
            after = page[-1]["id"]

    async def messages(self, actor: Actor, part: ExportPart, left_out: LeftOut) -> AsyncGenerator[MessageDetail, None]:
        """In the order of their seqs. Raises NotFound when the account is deleted meanwhile."""
        after = part.after
        while ids := await self._page(part, after, messages.ids_after):
            for seq, message_id in ids:
                self._advance(part, seq, before=_SHARE_OF_MBOX)
                try:
                    yield await self._inbox.read(actor, message_id)
                except NotFound:
                    left_out.lines.append(f"messages/{seq}.json: {DELETED}")
            after = ids[-1][0]

    async def attachment(self, message: MessageSummary, file: Attachment) -> AsyncGenerator[bytes, None] | None:
        """The bytes of an attachment; None when it was deleted meanwhile. Raises StorageUnavailable."""
        return await self._opened(message.account_id, message.id, self._blobs.read(file.blob_key))

    async def mbox(self, part: ExportPart, left_out: LeftOut) -> AsyncGenerator[bytes, None]:
        """The messages as they were received, in one file (see `mailkeep.mail.mbox`). Raises as `messages` does."""
        after = part.after
        while sources := await self._page(part, after, contents.sources_after):
            for found in sources:
                self._advance(part, found.seq, before=0.0)
                async for chunk in self._in_mbox(part.account_id, found, left_out):
                    yield chunk
            after = sources[-1].seq

    def _advance(self, part: ExportPart, seq: int, *, before: float) -> None:
        """Half of the work is the mailbox file, and half are the messages one by one."""
        if part.account_id in self._under_way:
            done = (seq - 1 - part.after) / (part.last - part.after)
            self._under_way[part.account_id] = before + done * _SHARE_OF_MBOX

    async def _in_mbox(self, account_id: str, found: ReceivedSource, left_out: LeftOut) -> AsyncGenerator[bytes, None]:
        if found.source.malware:
            why = f"a scanner found {visible_name(found.source.malware)} in it"
            left_out.lines.append(f"mailbox.mbox, message {found.seq}: {why}")
            return
        chunks = await self._opened(account_id, found.message_id, decompressed(self._blobs.read(found.source.blob_key)))
        if chunks is None:
            left_out.lines.append(f"mailbox.mbox, message {found.seq}: {DELETED}")
            return
        yield mbox.from_line(found.mail_from, found.received_at)
        async with aclosing(mbox.escaped(chunks)) as lines:
            async for line in lines:
                yield line
        yield mbox.END

    async def _page(self, part: ExportPart, after: int, query: Page[Row]) -> list[Row]:
        """Raises NotFound when the account was deleted."""
        async with self._database.read() as connection:
            if (await accounts.get(connection, part.account_id)).status is not AccountStatus.ACTIVE:
                raise NotFound("the account is gone")
            return await query(connection, part.account_id, after, last=part.last, limit=AT_ONCE)

    async def _opened(
        self, account_id: str, message_id: str, chunks: AsyncGenerator[bytes, None]
    ) -> AsyncGenerator[bytes, None] | None:
        """The same bytes, when there are any; a file that was opened can be read to its end."""
        try:
            first = await anext(chunks, b"")
        except StorageUnavailable:
            async with self._database.read() as connection:
                if await messages.sizes_of(connection, account_id, [message_id]):
                    raise
            return None
        return _beginning_with(first, chunks)


async def _beginning_with(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(rest):
        yield first
        async for chunk in rest:
            yield chunk


def _owner(actor: Actor) -> str:
    """Raises NotAllowed: only an owner holds this scope, and a token is not enough."""
    account_id = actor.owner(Scope.ACCOUNT_WRITE)
    if actor.session_id is None:
        raise NotAllowed("only for whoever logged in")
    return account_id
