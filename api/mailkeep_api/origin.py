"""Which site a request comes from, as browsers say it.

They say it in `Sec-Fetch-Site` (only to https and to this machine) and in `Origin`. No page can write either of them.
"""

from __future__ import annotations

from typing import Final

from aiohttp import hdrs, web
from yarl import URL

from mailkeep.config import Settings
from mailkeep.errors import NotAllowed

SEC_FETCH_SITE: Final = "Sec-Fetch-Site"


def refuse_other_sites(request: web.Request, settings: Settings) -> None:
    """Raises NotAllowed when the browser says that another site sent this."""
    sites = request.headers.getall(SEC_FETCH_SITE, [])
    origins = request.headers.getall(hdrs.ORIGIN, [])
    if any(site != "same-origin" for site in sites) or any(
        not _is_ours(origin, request, settings) for origin in origins
    ):
        raise NotAllowed("the request comes from another site")


def _is_ours(origin: str, request: web.Request, settings: Settings) -> bool:
    """Without `http.public_url` the name that the browser itself used is the only one we can know."""
    if settings.http.public_url:
        return origin == str(URL(settings.http.public_url).origin())
    return origin == f"{request.scheme}://{request.host}"
