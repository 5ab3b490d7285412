"""/messages: what was received."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from mailkeep.domain.message import MessageQuery, MessageSummary
from mailkeep.domain.scope import Scope
from mailkeep.errors import NotFound
from mailkeep.mail.hops import route as route_of
from mailkeep.services.watching import Waited
from mailkeep_api.documents import html_document, send_download, text_document
from mailkeep_api.etags import seen_by
from mailkeep_api.links import link_messages
from mailkeep_api.patience import while_serving
from mailkeep_api.problems import FieldError
from mailkeep_api.routing import Call, Raw, Routes
from mailkeep_api.schemas.messages import (
    DeletedOut,
    FoundQuery,
    HtmlQuery,
    MessageChange,
    MessageItem,
    MessageList,
    MessageOut,
    MessageQueryIn,
    NearMissOut,
    UpdatedOut,
)
from mailkeep_api.schemas.structure import HeadersOut, StructureOut
from mailkeep_api.validation import invalid

routes: Final = Routes("/api/v1/messages", tag="messages")


@routes.get(
    "",
    scope=Scope.MESSAGES_READ,
    audit="message.list",
    query=MessageQueryIn,
    returns=MessageList,
    problems=("not-found",),
)
async def list_messages(call: Call, query: MessageQueryIn) -> MessageList:
    """Messages, newest first: all of them, or of one address, or those that a search finds.

    Without `after` the page holds the newest messages there are, or the newest that are older than `before`. With
    `after` alone it holds the oldest that are newer than that, so that whoever goes on from one answer's `cursor` to
    the next sees each message once and misses none.

    With `wait` the answer comes as soon as there are `count` messages, at the latest after that many seconds, and then
    with `timed_out`. `count=0` is for mail that must not come: the answer comes with the first message, and
    `timed_out` says that there was none. Waiting marks nothing as read. Without `after`, what is there already counts.
    """
    _refuse_nonsense(query)
    search = call.core.inbox.understand(query.q)
    address_id = await call.core.addresses.id_of(call.actor, query.address) if query.address is not None else None
    wanted = MessageQuery(
        address_id=address_id, search=search, after=query.after, before=query.before, limit=query.limit
    )
    if query.wait is None:
        return _listed(call, query, wanted, Waited(await call.core.inbox.page(call.actor, wanted), timed_out=False))
    count = 1 if query.count is None else query.count
    wait = call.core.waits.wait(call.actor, wanted, count=count, timeout_s=query.wait)
    return _listed(call, query, wanted, await while_serving(call.request, wait))


def _refuse_nonsense(query: MessageQueryIn) -> None:
    """Raises RequestProblem (422)."""
    if query.wait is not None and query.before is not None:
        raise invalid(FieldError("before", "not_with_wait", "cannot be waited for: nothing older than that arrives"))
    if query.count is None:
        return
    if query.wait is None:
        raise invalid(FieldError("count", "only_with_wait", "is how many messages to wait for, and needs wait"))
    if query.count > query.limit:
        raise invalid(FieldError("count", "less_than_equal", "must be at most limit"))


def _listed(call: Call, query: MessageQueryIn, wanted: MessageQuery, waited: Waited) -> MessageList:
    page = waited.page
    if wanted.goes_up:
        older, newer = wanted.after + 1 if wanted.after else None, page.more
    else:
        # With a cursor that is not the one asked for, nothing is newer.
        older, newer = page.more, page.cursor if page.cursor + 1 == wanted.before else None
    link_messages(call, older=older, newer=newer)
    return MessageList(
        items=tuple(map(MessageItem.of, page.items)),
        next=older,
        previous=newer,
        cursor=page.cursor,
        timed_out=waited.timed_out,
        near_misses=tuple(
            NearMissOut.of(miss, query.address, query.q, wanted.search.spans) for miss in waited.near_misses
        ),
    )


@routes.patch(
    "",
    scope=Scope.MESSAGES_WRITE,
    audit="message.update_found",
    query=FoundQuery,
    body=MessageChange,
    returns=UpdatedOut,
)
async def update_messages(call: Call, query: FoundQuery, body: MessageChange) -> UpdatedOut:
    """Mark every message that a search finds as read or unread."""
    found = MessageQuery(search=call.core.inbox.understand(query.q))
    return UpdatedOut(updated=await call.core.bulk.set_read_found(call.actor, found, read=body.read))


@routes.delete("", scope=Scope.MESSAGES_WRITE, audit="message.delete_found", query=FoundQuery, returns=DeletedOut)
async def delete_messages(call: Call, query: FoundQuery) -> DeletedOut:
    """Delete every message that a search finds, with sources and attachments."""
    found = MessageQuery(search=call.core.inbox.understand(query.q))
    return DeletedOut(deleted=await call.core.bulk.delete_found(call.actor, found))


@routes.get("/{message_id}", scope=Scope.MESSAGES_READ, audit="message.view", returns=MessageOut, etag=True)
async def get_message(call: Call, message_id: str) -> MessageOut:
    """One message with everything that was understood of it. Reading it here does not mark it as read."""
    _, shown = await _read(call, message_id)
    return shown


async def _read(call: Call, message_id: str) -> tuple[MessageSummary, MessageOut]:
    detail = await call.core.inbox.read(call.actor, message_id)
    return detail.summary, MessageOut.of_detail(detail, await call.core.inbox.safe_html(detail))


@routes.patch(
    "/{message_id}",
    scope=Scope.MESSAGES_WRITE,
    audit="message.update",
    body=MessageChange,
    returns=MessageItem,
    if_match=True,
)
async def update_message(call: Call, message_id: str, body: MessageChange) -> MessageItem:
    """Mark as read or unread."""
    seen = await seen_by(call.request, lambda: _read(call, message_id))
    return MessageItem.of(await call.core.inbox.set_read(call.actor, message_id, read=body.read, seen=seen))


@routes.delete("/{message_id}", scope=Scope.MESSAGES_WRITE, audit="message.delete", if_match=True)
async def delete_message(call: Call, message_id: str) -> None:
    """Delete a message, its source and its attachments."""
    seen = await seen_by(call.request, lambda: _read(call, message_id))
    await call.core.inbox.delete(call.actor, message_id, seen=seen)


@routes.get(
    "/{message_id}/source",
    scope=Scope.MESSAGES_READ,
    audit="message.source",
    returns=Raw(("message/rfc822",), is_download=True),
    etag=True,
    problems=("quarantined",),
)
async def get_source(call: Call, message_id: str) -> web.StreamResponse:
    """The message as it was received, byte for byte."""
    return await send_download(call.request, await call.core.inbox.source(call.actor, message_id))


@routes.get(
    "/{message_id}/html",
    scope=Scope.MESSAGES_READ,
    audit="message.html",
    query=HtmlQuery,
    returns=Raw(("text/html", "text/plain")),
    etag=True,
    problems=("quarantined",),
)
async def get_html(call: Call, message_id: str, query: HtmlQuery) -> web.Response:
    """The HTML, sanitised; with `raw=1` as received, as text/plain. 404 when the message has none."""
    detail = await call.core.inbox.read(call.actor, message_id)
    if query.raw in {"1", "true"}:
        return text_document(call.core.inbox.html_as_received(detail))
    if detail.html is None:
        raise NotFound("no HTML in this message")
    return html_document(await call.core.inbox.safe_html(detail))


@routes.get(
    "/{message_id}/text", scope=Scope.MESSAGES_READ, audit="message.text", returns=Raw(("text/plain",)), etag=True
)
async def get_text(call: Call, message_id: str) -> web.Response:
    """The text part. 404 when the message has none."""
    detail = await call.core.inbox.read(call.actor, message_id)
    if detail.text is None:
        raise NotFound("no text in this message")
    return text_document(detail.text)


@routes.get("/{message_id}/headers", scope=Scope.MESSAGES_READ, audit="message.headers", returns=HeadersOut, etag=True)
async def get_headers(call: Call, message_id: str) -> HeadersOut:
    """The headers in their order, and the way the message took by its Received fields."""
    detail = await call.core.inbox.read(call.actor, message_id)
    return HeadersOut.of(detail.headers, route_of(detail.headers))


@routes.get(
    "/{message_id}/structure", scope=Scope.MESSAGES_READ, audit="message.structure", returns=StructureOut, etag=True
)
async def get_structure(call: Call, message_id: str) -> StructureOut:
    """The MIME tree, with attached messages and reports, and what is odd about the message, in words."""
    return StructureOut.of(await call.core.inbox.read(call.actor, message_id))


@routes.get(
    "/{message_id}/attachments.zip",
    scope=Scope.MESSAGES_READ,
    audit="attachment.download_all",
    returns=Raw(("application/zip",), is_download=True),
    etag=True,
    problems=("quarantined",),
)
async def get_attachments(call: Call, message_id: str) -> web.StreamResponse:
    """All attachments in a zip file, without those that a scanner found malware in. 404 when there are none."""
    return await send_download(call.request, await call.core.inbox.attachments(call.actor, message_id))


@routes.get(
    "/{message_id}/attachments/{attachment_id}",
    scope=Scope.MESSAGES_READ,
    audit="attachment.download",
    returns=Raw(("application/octet-stream",), is_download=True),
    etag=True,
    problems=("quarantined",),
)
async def get_attachment(call: Call, message_id: str, attachment_id: str) -> web.StreamResponse:
    """An attachment, to be saved. A type outside a short safe list is served as application/octet-stream."""
    return await send_download(call.request, await call.core.inbox.attachment(call.actor, message_id, attachment_id))
