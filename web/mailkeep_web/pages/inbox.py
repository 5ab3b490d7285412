"""/inbox: the list of messages, and the rows that arrive while it is looked at."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from mailkeep.domain.message import MessageQuery
from mailkeep_web.mail_list import PAGE_SIZE, MailList, read_filter, read_list, sending_hints
from mailkeep_web.routing import Routes
from mailkeep_web.visit import MemberVisit

routes: Final = Routes()


@routes.member("GET", "/inbox", audit="message.list")
async def inbox(visit: MemberVisit) -> web.StreamResponse:
    mail = await read_list(visit)
    address = mail.shown_address
    commands = sending_hints(visit.settings, address.address) if address is not None else ()
    context = {"mail": mail, "open_id": None, "commands": commands, "done": visit.request.query.get("done")}
    return await visit.member_page("inbox.html", context, status=422 if mail.filter.error else 200)


@routes.member("GET", "/inbox/rows", audit="message.list")
async def rows(visit: MemberVisit) -> web.StreamResponse:
    """The rows newer than the seq `after`; the whole list without it, or when they are too many for one page."""
    after = visit.seq("after")
    if after is None:
        return _whole_list(visit, await read_list(visit))
    shown = await read_filter(visit)
    if shown.error is not None:
        return _whole_list(visit, await read_list(visit))
    query = MessageQuery(address_id=shown.address_id, search=shown.search, after=after, limit=PAGE_SIZE)
    page = await visit.core.inbox.page(visit.actor, query)
    if page.more is None:
        return visit.page("inbox_rows.html", {"messages": page.items, "filter": shown, "open_id": None})
    response = _whole_list(visit, await read_list(visit))
    response.headers.update({"HX-Retarget": "#list-content", "HX-Reswap": "innerHTML"})
    return response


def _whole_list(visit: MemberVisit, mail: MailList) -> web.Response:
    return visit.page("inbox_content.html", {"mail": mail, "open_id": None})
