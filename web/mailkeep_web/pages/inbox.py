"""/inbox: the list of messages, the rows that arrive while it is looked at, and older ones as it is scrolled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from aiohttp import web

from mailkeep.domain.message import MessageSummary
from mailkeep_web.mail_list import PAGE_SIZE, ListFilter, read_filter, read_list, read_page, sending_hints
from mailkeep_web.notices import notice_of
from mailkeep_web.routing import Routes
from mailkeep_web.visit import MemberVisit

routes: Final = Routes()


@routes.member("GET", "/inbox", audit="message.list")
async def inbox(visit: MemberVisit) -> web.StreamResponse:
    mail = await read_list(visit)
    address = mail.shown_address
    commands = sending_hints(visit.settings, address.address) if address is not None else ()
    notice = notice_of(visit.request.query)
    context = {"mail": mail, "open_id": None, "commands": commands, "notice": notice}
    return await visit.member_page("inbox.html", context, status=422 if mail.filter.error else 200)


@routes.member("GET", "/inbox/rows", audit="message.list")
async def rows(visit: MemberVisit) -> web.StreamResponse:
    """The rows newer than the seq `after`, or those older than `before`.

    The whole list with neither, and when those newer are too many for one page.
    """
    after = visit.seq("after")
    shown = await read_filter(visit)
    if shown.error is not None or (after is None and shown.before is None):
        return await _whole_list(visit)
    if after is None:
        return await _older(visit, shown)
    page = await visit.core.inbox.page(visit.actor, replace(shown.found, after=after, limit=PAGE_SIZE))
    if page.more is None:
        return visit.page("inbox_rows.html", await _rows(visit, page.items, shown))
    response = await _whole_list(visit)
    response.headers.update({"HX-Retarget": "#list-content", "HX-Reswap": "innerHTML"})
    return response


async def _older(visit: MemberVisit, shown: ListFilter) -> web.Response:
    """Rows to be added at the end of the list, which goes on being the list of its first page."""
    messages, next_before = await read_page(visit, shown)
    context = await _rows(visit, messages, replace(shown, before=None))
    return visit.page("inbox_older.html", {**context, "next_before": next_before})


async def _rows(visit: MemberVisit, messages: Sequence[MessageSummary], shown: ListFilter) -> Mapping[str, object]:
    infected = await visit.core.inbox.infected(visit.actor, messages)
    return {"messages": messages, "infected": infected, "filter": shown, "open_id": None}


async def _whole_list(visit: MemberVisit) -> web.Response:
    return visit.page("inbox_content.html", {"mail": await read_list(visit), "open_id": None})
