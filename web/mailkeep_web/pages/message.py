"""/messages/{id}: one message, a tab at a time, and what can be done with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from aiohttp import web

from mailkeep.domain.message import MessageDetail
from mailkeep.domain.scope import Scope
from mailkeep.errors import NotFound
from mailkeep.mail.hops import route as route_of
from mailkeep.mail.links import links_in_text
from mailkeep_api.documents import send_download, text_document
from mailkeep_web.frame import SANDBOX, frame_document
from mailkeep_web.mail_list import ListFilter, list_query, read_filter, read_list
from mailkeep_web.notices import notice_of
from mailkeep_web.removed import removed_words
from mailkeep_web.rendering import TEMPLATES
from mailkeep_web.routing import Routes
from mailkeep_web.timeline import timeline
from mailkeep_web.visit import MemberVisit, see_other

routes: Final = Routes()

MAX_SOURCE_SHOWN: Final = 256 * 1024


class Tab(StrEnum):
    HTML = "html"
    TEXT = "text"
    STRUCTURE = "structure"
    HEADERS = "headers"
    ATTACHMENTS = "attachments"
    SOURCE = "source"
    DELIVERY = "delivery"


@dataclass(frozen=True, slots=True)
class SourceStart:
    """The beginning of a source as text, and whether that is all of it."""

    text: str
    complete: bool


@routes.member("GET", "/messages/{message_id}", audit="message.view")
async def show(visit: MemberVisit) -> web.StreamResponse:
    """Opening a message marks it as read. A browser that only fetches ahead, or for another site, does not open it."""
    detail = await _detail(visit)
    if detail.summary.read_at is None and _is_opened_by_reader(visit):
        await visit.core.inbox.set_read(visit.actor, detail.summary.id, read=True)
    tab = _tab(visit, detail)
    shown = await read_filter(visit)
    context = {
        "filter": shown,
        "open_id": detail.summary.id,
        "detail": detail,
        "tab": tab,
        "sandbox": SANDBOX,
        "may_write": Scope.MESSAGES_WRITE in visit.actor.scopes,
        **await _neighbours(visit, detail, shown),
        **await _content(visit, detail, tab),
    }
    if visit.request.headers.get("HX-Target") == "reading":  # a script that has the list already
        return await visit.member_page("message_part.html", context)
    list_context = {"mail": await read_list(visit), "notice": notice_of(visit.request.query)}
    return await visit.member_page("message.html", {**context, **list_context})


async def _neighbours(visit: MemberVisit, detail: MessageDetail, shown: ListFilter) -> Mapping[str, object]:
    """The messages before and after it in the list; none of a search that cannot be understood."""
    if shown.error is not None:
        return {"newer": None, "older": None}
    newer, older = await visit.core.inbox.neighbours(visit.actor, detail.summary.seq, shown.found)
    return {"newer": newer, "older": older}


async def _content(visit: MemberVisit, detail: MessageDetail, tab: Tab) -> Mapping[str, object]:
    """What one tab needs and the others do not."""
    if tab is Tab.HTML and detail.html is not None:
        safe = await visit.core.inbox.safe_html(detail)
        return {"removed": removed_words(safe.removed), "truncated": safe.truncated, "links": safe.links}
    if tab is Tab.TEXT and detail.text is not None:
        return {"links": await asyncio.to_thread(links_in_text, detail.text)}
    if tab is Tab.SOURCE and not detail.is_quarantined:
        return {"source": await _source_start(visit, detail.summary.id)}
    if tab is Tab.HEADERS:
        route = route_of(detail.headers)
        return {"route": route, "steps": timeline(route)}
    if tab is Tab.STRUCTURE:
        return {"files": {attachment.section: attachment for attachment in detail.attachments}}
    return {}


def _tab(visit: MemberVisit, detail: MessageDetail) -> Tab:
    wanted = visit.request.query.get("tab")
    if wanted in set(Tab):
        return Tab(wanted)
    if detail.html is not None:
        return Tab.HTML
    return Tab.TEXT if detail.text is not None else Tab.SOURCE


def _is_opened_by_reader(visit: MemberVisit) -> bool:
    headers = visit.request.headers
    if visit.request.method == "HEAD" or "Sec-Purpose" in headers or Scope.MESSAGES_WRITE not in visit.actor.scopes:
        return False
    return headers.get("Sec-Fetch-Site", "none") in {"none", "same-origin"}


async def _source_start(visit: MemberVisit, message_id: str) -> SourceStart:
    download = await visit.core.inbox.source(visit.actor, message_id)
    start = await _first(download.chunks, MAX_SOURCE_SHOWN)
    return SourceStart(start.decode("utf-8", errors="replace"), complete=download.size_bytes <= len(start))


async def _first(chunks: AsyncIterator[bytes], count: int) -> bytes:
    start = bytearray()
    async for chunk in chunks:
        start += chunk
        if len(start) >= count:
            break
    if isinstance(chunks, AsyncGenerator):
        await chunks.aclose()  # the file behind it is not left open
    return bytes(start[:count])


@routes.member("GET", "/messages/{message_id}/html", audit="message.html")
async def html(visit: MemberVisit) -> web.StreamResponse:
    """The sanitised HTML, for the frame of the message's page."""
    detail = await _detail(visit)
    if detail.html is None:
        raise NotFound("no HTML in this message")
    return frame_document(await visit.core.inbox.safe_html(detail))


@routes.member("GET", "/messages/{message_id}/print", audit="message.html")
async def printed(visit: MemberVisit) -> web.StreamResponse:
    """The message without the page around it, as harmless as the frame is: a browser prints all of it."""
    detail = await _detail(visit)
    head = visit.request.app[TEMPLATES].html("message_print.html", {"detail": detail})
    return frame_document(await visit.core.inbox.safe_html(detail), head=head)


@routes.member("GET", "/messages/{message_id}/html.txt", audit="message.html")
async def html_as_received(visit: MemberVisit) -> web.StreamResponse:
    """The HTML as received: text, never a document."""
    return text_document(visit.core.inbox.html_as_received(await _detail(visit)))


@routes.member("GET", "/messages/{message_id}/source", audit="message.source")
async def source(visit: MemberVisit) -> web.StreamResponse:
    return await send_download(visit.request, await visit.core.inbox.source(visit.actor, _message_id(visit)))


@routes.member("GET", "/messages/{message_id}/attachments.zip", audit="attachment.download_all")
async def attachments(visit: MemberVisit) -> web.StreamResponse:
    return await send_download(visit.request, await visit.core.inbox.attachments(visit.actor, _message_id(visit)))


@routes.member("GET", "/messages/{message_id}/attachments/{attachment_id}", audit="attachment.download")
async def attachment(visit: MemberVisit) -> web.StreamResponse:
    attachment_id = visit.request.match_info["attachment_id"]
    download = await visit.core.inbox.attachment(visit.actor, _message_id(visit), attachment_id)
    return await send_download(visit.request, download)


@routes.member("POST", "/messages/{message_id}/unread", audit="message.update")
async def mark_unread(visit: MemberVisit) -> web.StreamResponse:
    await visit.core.inbox.set_read(visit.actor, _message_id(visit), read=False)
    return see_other(f"/inbox{list_query(visit)}")


@routes.member("POST", "/messages/{message_id}/delete", audit="message.delete")
async def delete(visit: MemberVisit) -> web.StreamResponse:
    await visit.core.inbox.delete(visit.actor, _message_id(visit))
    return see_other(f"/inbox{list_query(visit, done='message-deleted')}")


def _message_id(visit: MemberVisit) -> str:
    return visit.request.match_info["message_id"]


async def _detail(visit: MemberVisit) -> MessageDetail:
    return await visit.core.inbox.read(visit.actor, _message_id(visit))
