"""/inbox/selected: what is done to the messages that were ticked, or to all that the list finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from aiohttp import web

from mailkeep_api.ids import is_id
from mailkeep_api.problems import MALFORMED, RequestProblem
from mailkeep_web.forms import read_pairs
from mailkeep_web.mail_list import ListFilter, read_filter
from mailkeep_web.notices import change_words
from mailkeep_web.routing import Routes
from mailkeep_web.visit import MAX_SEQ, MemberVisit, see_other

routes: Final = Routes()

MAX_SELECTED: Final = 500
_OTHER_FIELDS: Final = 8
_CHANGES: Final = {"delete": "deleted", "read": "read", "unread": "unread"}


@dataclass(frozen=True, slots=True)
class Selected:
    """What the form says. With `all` it is everything that the list finds up to the seq `newest`, ticked or not.

    `open_id` is the message that is open beside the list, if one is.
    """

    action: str
    ids: Sequence[str]
    all: bool
    newest: int
    open_id: str | None


@routes.member("POST", "/inbox/selected", audit="message.change_selected")
async def change(visit: MemberVisit) -> web.StreamResponse:
    """For a script only what was done; for a browser the page to go on with."""
    selected = _selected(await read_pairs(visit.request, max_fields=MAX_SELECTED + _OTHER_FIELDS))
    shown = await read_filter(visit)
    if shown.error is not None:
        return see_other(f"/inbox{shown.query}")
    count = await _change(visit, selected, shown)
    done = _CHANGES[selected.action]
    if "HX-Request" in visit.request.headers:
        return visit.page("inbox_notice.html", {"notice": change_words(done, count)})
    path = f"/messages/{selected.open_id}" if _stays_open(selected) else "/inbox"
    return see_other(f"{path}{shown.at(done=done, count=str(count))}")


def _selected(pairs: Sequence[tuple[str, str]]) -> Selected:
    """Raises RequestProblem (400)."""
    fields = dict(pairs)
    ids = tuple(dict.fromkeys(value for name, value in pairs if name == "id"))
    newest, open_id = fields.get("newest", "0"), fields.get("open") or None
    is_number = newest.isascii() and newest.isdigit() and len(newest) < 20 and int(newest) < MAX_SEQ
    is_known = fields.get("action") in _CHANGES and len(ids) <= MAX_SELECTED
    if not (is_number and is_known and all(map(is_id, ids)) and (open_id is None or is_id(open_id))):
        raise RequestProblem(MALFORMED)
    return Selected(fields["action"], ids, "all" in fields, int(newest), open_id)


async def _change(visit: MemberVisit, selected: Selected, shown: ListFilter) -> int:
    bulk, actor = visit.core.bulk, visit.actor
    # What the reader has not seen in the list is not theirs to have chosen.
    found = replace(shown.found, before=selected.newest + 1)
    if selected.action == "delete":
        return await (bulk.delete_found(actor, found) if selected.all else bulk.delete(actor, selected.ids))
    read = selected.action == "read"
    if selected.all:
        return await bulk.set_read_found(actor, found, read=read)
    return await bulk.set_read(actor, selected.ids, read=read)


def _stays_open(selected: Selected) -> bool:
    """A message that is gone cannot be shown, and one that is to be unread must not be opened again."""
    if selected.open_id is None:
        return False
    return selected.action == "read" or not (selected.all or selected.open_id in selected.ids)
