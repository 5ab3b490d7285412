"""A customer's messages: listing, reading, marking and removing them, one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.domain.clock import Clock
from mailkeep.domain.mailbox import Mailbox
from mailkeep.domain.message import Download, MessageDetail, MessagePage, MessageQuery, MessageSummary, SafeHtml
from mailkeep.domain.query import Query
from mailkeep.domain.query_parser import parse_query
from mailkeep.domain.scope import Actor, Scope
from mailkeep.errors import NotFound, Quarantined
from mailkeep.mail.attachments import served_type
from mailkeep.mail.sanitise import sanitise
from mailkeep.services.as_seen import require_as_seen
from mailkeep.services.audit import AuditTrail
from mailkeep.services.bundle import bundle
from mailkeep.services.removal import MessageRemoval
from mailkeep.services.search import find_page
from mailkeep.storage import accounts, contents, messages
from mailkeep.storage.blobs.blob_store import BlobStore
from mailkeep.storage.database import Database
from mailkeep.storage.messages import StoredMessage
from mailkeep.storage.sources import decompressed


class Inbox:
    """Reads messages, and removes them. Nothing here marks a message as read but `set_read`."""

    def __init__(
        self,
        database: Database,
        trail: AuditTrail,
        removal: MessageRemoval,
        blobs: BlobStore,
        *,
        clock: Clock,
    ) -> None:
        self._database = database
        self._trail = trail
        self._removal = removal
        self._blobs = blobs
        self._clock = clock

    async def page(self, actor: Actor, query: MessageQuery) -> MessagePage:
        """A page of a long search can be short, or empty, and have a next one all the same. Raises NotAllowed."""
        account_id = actor.owner(Scope.MESSAGES_READ)
        async with self._database.read() as connection:
            page = await find_page(connection, account_id, query)
        now = self._clock()
        return replace(page, items=[message for message in page.items if message.expires_at > now])

    async def list(self, actor: Actor, query: MessageQuery) -> tuple[list[MessageSummary], int | None]:
        """A page's messages, and where the next one begins. Raises NotAllowed."""
        page = await self.page(actor, query)
        return page.items, page.more

    async def infected(self, actor: Actor, found: Collection[MessageSummary]) -> Collection[str]:
        """The ids of those in which malware was found. Raises NotAllowed."""
        account_id = actor.owner(Scope.MESSAGES_READ)
        if not found:
            return ()
        async with self._database.read() as connection:
            return await messages.infected(connection, account_id, {message.id for message in found})

    async def neighbours(
        self, actor: Actor, seq: int, query: MessageQuery
    ) -> tuple[MessageSummary | None, MessageSummary | None]:
        """Of what a query finds, the next newer and the next older message than the seq. Raises NotAllowed."""
        account_id = actor.owner(Scope.MESSAGES_READ)
        async with self._database.read() as connection:
            newer = await find_page(connection, account_id, replace(query, after=seq, before=None, limit=1))
            older = await find_page(connection, account_id, replace(query, after=None, before=seq, limit=1))
        return next(iter(newer.items), None), next(iter(older.items), None)

    def understand(self, search: str) -> Query:
        """The language of `q`. Raises QueryError."""
        return parse_query(search, now=self._clock())

    async def read(self, actor: Actor, message_id: str) -> MessageDetail:
        """Raises NotFound, NotAllowed."""
        account_id = actor.owner(Scope.MESSAGES_READ)
        async with self._database.read() as connection:
            stored = await self._get(connection, account_id, message_id)
            content = await contents.get(connection, stored.content_id)
        return MessageDetail(
            summary=stored.summary,
            envelope=stored.envelope,
            transport=stored.transport,
            senders=content.senders or _first_sender(stored.summary),
            to=content.to,
            cc=content.cc,
            reply_to=content.reply_to,
            date=content.date,
            message_id=content.message_id,
            headers=content.headers,
            text=content.text,
            html=content.html,
            attachments=content.attachments,
            defects=content.defects,
            structure=content.structure,
            malware=content.malware,
        )

    async def safe_html(self, detail: MessageDetail) -> SafeHtml:
        """The message's HTML as it may be shown; empty when it has none."""
        if not detail.html:
            return SafeHtml(html="", removed={})
        return await asyncio.to_thread(sanitise, detail.html)

    def html_as_received(self, detail: MessageDetail) -> str:
        """The message's HTML, to be shown as text and never rendered. Raises NotFound, Quarantined."""
        if detail.html is None:
            raise NotFound("no HTML in this message")
        if detail.is_quarantined:
            raise Quarantined("malware in the message")
        return detail.html

    async def source(self, actor: Actor, message_id: str) -> Download:
        """The bytes as they were received. Raises NotFound, NotAllowed, Quarantined, StorageUnavailable."""
        account_id = actor.owner(Scope.MESSAGES_READ)
        async with self._database.read() as connection:
            stored = await self._get(connection, account_id, message_id)
            source = await contents.source_of(connection, stored.content_id)
        if source.malware:
            raise Quarantined("malware in the message")
        return Download(
            chunks=decompressed(self._blobs.read(source.blob_key)),
            size_bytes=source.size_bytes,
            filename=f"{message_id}.eml",
            media_type="message/rfc822",
            digest=source.sha256,
        )

    async def attachment(self, actor: Actor, message_id: str, attachment_id: str) -> Download:
        """An attachment, of a media type that is safe to serve.

        Raises NotFound, NotAllowed, Quarantined, StorageUnavailable.
        """
        detail = await self.read(actor, message_id)
        attachment = next((file for file in detail.attachments if file.id == attachment_id), None)
        if attachment is None:
            raise NotFound(f"no attachment {attachment_id}")
        if attachment.is_quarantined:
            raise Quarantined("malware in the attachment")
        return Download(
            chunks=self._blobs.read(attachment.blob_key),
            size_bytes=attachment.size_bytes,
            filename=attachment.filename,
            media_type=served_type(attachment.declared_type, attachment.detected_type),
            digest=attachment.sha256,
        )

    async def attachments(self, actor: Actor, message_id: str) -> Download:
        """All attachments in a zip file. Raises NotFound, also when there are none; NotAllowed, StorageUnavailable."""
        detail = await self.read(actor, message_id)
        if not detail.attachments:
            raise NotFound("no attachments in this message")
        return bundle(detail, self._blobs)

    async def set_read(
        self, actor: Actor, message_id: str, *, read: bool, seen: MessageSummary | None = None
    ) -> MessageSummary:
        """Raises NotFound, NotAllowed, PreconditionFailed when the message is something else than `seen`."""
        account_id = actor.owner(Scope.MESSAGES_WRITE)
        read_at = self._clock() if read else None
        async with self._database.write() as connection:
            if seen is not None:
                await require_as_seen(connection, account_id, seen)
            stored = await self._get(connection, account_id, message_id)
            await messages.set_read(connection, account_id, message_id, read_at=read_at)
            detail = "read" if read else "unread"
            await self._trail.write(connection, actor, "message.update", resource=message_id, detail=detail)
        return replace(stored.summary, read_at=read_at)

    async def delete(self, actor: Actor, message_id: str, *, seen: MessageSummary | None = None) -> None:
        """Remove a message, and its bytes with the last message that has them.

        Raises NotFound, NotAllowed, PreconditionFailed when the message is something else than `seen`.
        """
        actor.require(Scope.MESSAGES_WRITE)
        if not await self._removal.remove(actor, [message_id], action="message.delete", resource=message_id, seen=seen):
            raise NotFound(f"no message {message_id}")

    async def _get(self, connection: AsyncConnection, account_id: str, message_id: str) -> StoredMessage:
        """What has expired is gone, also before retention has come by. Raises NotFound."""
        stored = await messages.get(connection, account_id, message_id)
        if stored.summary.expires_at <= self._clock():
            raise NotFound("the message has expired")
        return stored

    async def latest_seq(self, actor: Actor) -> int:
        """The seq of the newest message, deleted or not; 0 when there never was one. Raises NotAllowed."""
        account_id = actor.owner(Scope.MESSAGES_READ)
        async with self._database.read() as connection:
            return await accounts.message_seq(connection, account_id)


def _first_sender(summary: MessageSummary) -> tuple[Mailbox, ...]:
    """Of mail that was stored before all mailboxes of From were kept."""
    return (summary.sender,) if summary.sender != Mailbox("", "") else ()
