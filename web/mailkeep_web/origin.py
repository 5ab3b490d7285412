"""Cross-site request forgery: a request that changes something must come from one of our own pages."""

from __future__ import annotations

from aiohttp import hdrs, web

from mailkeep.config import Settings
from mailkeep.errors import NotAllowed
from mailkeep_api.origin import SEC_FETCH_SITE, refuse_other_sites


def require_same_origin(request: web.Request, settings: Settings) -> None:
    """Raises NotAllowed unless the browser says that one of our pages sent this; also when it says nothing."""
    if SEC_FETCH_SITE not in request.headers and hdrs.ORIGIN not in request.headers:
        raise NotAllowed("the request does not say which site it comes from")
    refuse_other_sites(request, settings)
