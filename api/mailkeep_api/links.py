"""The `Link` header of lists (RFC 8288)."""

from __future__ import annotations

from typing import Final

from yarl import URL

from mailkeep_api.routing import Call

# What makes a request wait is not part of the list that its pages belong to.
_WAITING: Final = ("wait", "count")


def link_next(call: Call, *, before: str | int | None) -> None:
    """Point at the next page of the list that was asked for; nothing on the last one."""
    if before is not None:
        _link(call, _list(call).update_query(before=str(before)), "next")


def link_messages(call: Call, *, older: int | None, newer: int | None) -> None:
    """Point at the next page of messages, older than the seq `older`, and the previous one, newer than `newer`.

    A list that begins after a message goes up from it: what is older is another list.
    """
    url = _list(call)
    if older is not None:
        below = url if "before" in url.query else url.without_query_params("after")
        _link(call, below.update_query(before=str(older)), "next")
    if newer is not None:
        _link(call, url.without_query_params("before").update_query(after=str(newer)), "prev")


def _list(call: Call) -> URL:
    return call.request.rel_url.without_query_params(*_WAITING)


def _link(call: Call, url: URL, relation: str) -> None:
    links = [call.reply_headers["Link"]] if "Link" in call.reply_headers else []
    call.reply_headers["Link"] = ", ".join([*links, f'<{url}>; rel="{relation}"'])
