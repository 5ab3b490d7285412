"""The `Link` header of lists (RFC 8288)."""

from __future__ import annotations

from mailkeep_api.routing import Call


def link_next(call: Call, *, before: str | int | None) -> None:
    """Point at the next page of the list that was asked for; nothing on the last one."""
    if before is not None:
        url = call.request.rel_url.update_query(before=str(before))
        call.reply_headers["Link"] = f'<{url}>; rel="next"'
