"""Cross-site request forgery: a request that changes something must come from one of our own pages.

Browsers say where a request comes from in `Sec-Fetch-Site` (only to https and to this machine) and in `Origin`.
No page can write either of them.
"""

from __future__ import annotations

from aiohttp import hdrs, web
from yarl import URL

from mailkeep.config import Settings
from mailkeep.errors import NotAllowed

_SEC_FETCH_SITE = "Sec-Fetch-Site"


def require_same_origin(request: web.Request, settings: Settings) -> None:
    """Raises NotAllowed unless the browser says that one of our pages sent this; also when it says nothing."""
    if _SEC_FETCH_SITE not in request.headers and hdrs.ORIGIN not in request.headers:
        raise NotAllowed("the request does not say which site it comes from")
    refuse_other_sites(request, settings)


def refuse_other_sites(request: web.Request, settings: Settings) -> None:
    """Raises NotAllowed when the browser says that another site sent this."""
    sites = request.headers.getall(_SEC_FETCH_SITE, [])
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
