"""Whether one more request of a caller is answered, and the header fields that say where the caller stands.

draft-ietf-httpapi-ratelimit-headers: `RateLimit-Policy` names the limit (`q` requests in `w` seconds), `RateLimit`
what is left of it (`r`), and in how many seconds there will be more (`t`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from mailkeep.domain.client import network_of
from mailkeep.domain.scope import Actor
from mailkeep.errors import RateExceeded
from mailkeep.storage.shared_counts import open_shared_counts
from mailkeep_api.client import client_ip
from mailkeep_api.keys import CORE, SETTINGS
from mailkeep_api.rates.shared import KEY_PREFIX, RedisMinute
from mailkeep_api.rates.window import WINDOW_S, SlidingMinute, Standing

COUNTED_PREFIX: Final = "/api/v1/"


@dataclass(frozen=True, slots=True)
class Quota:
    """Who is counted as one, and how many requests a minute they have."""

    policy: str
    key: str
    limit: int


class Admission:
    """Counts here, and with the other processes where there is a Redis."""

    def __init__(self, shared: RedisMinute | None = None) -> None:
        self._own = SlidingMinute()
        self._shared = shared

    async def hit(self, quota: Quota) -> Standing:
        standing = self._own.hit(quota.key, quota.limit)
        if not standing.admitted or self._shared is None:
            return standing
        return await self._shared.hit(quota.key, quota.limit) or standing


ADMISSION: Final = web.AppKey("admission", Admission)
RATE: Final = web.RequestKey("rate", tuple[Quota, Standing])


async def open_admission(app: web.Application) -> AsyncIterator[None]:
    """For `cleanup_ctx`. Raises ConfigurationError for a Redis that cannot be."""
    rates = app[SETTINGS].rates
    async with AsyncExitStack() as stack:
        shared = None
        if not rates.counts_apart:
            counts = await stack.enter_async_context(open_shared_counts(rates, key_prefix=KEY_PREFIX))
            shared = RedisMinute(counts)
        app[ADMISSION] = Admission(shared)
        yield


async def admit(request: web.Request, actor: Actor | None) -> None:
    """Count a request of the actor's account; of the client's address when there is no actor.

    Not counted: what our own services ask, and whoever watches the process. Raises RateExceeded.
    """
    if not request.path.startswith(COUNTED_PREFIX) or (actor is not None and actor.account_id is None):
        return
    quota = await _quota(request, actor.account_id if actor is not None else None)
    standing = await request.app[ADMISSION].hit(quota)
    request[RATE] = (quota, standing)
    if not standing.admitted:
        raise RateExceeded("too many requests in this minute", retry_after_s=standing.reset_s)


async def _quota(request: web.Request, account_id: str | None) -> Quota:
    if account_id is not None:
        tier = await request.app[CORE].tiers.of(account_id)
        return Quota("account", f"account/{account_id}", tier.api_requests_per_minute)
    client = network_of(client_ip(request))
    return Quota("client", f"client/{client}", request.app[SETTINGS].http.public_requests_per_minute)


async def say_standing(request: web.Request, response: web.StreamResponse) -> None:
    """A signal for `on_response_prepare`: the header fields of a request that was counted."""
    if RATE not in request:
        return
    quota, standing = request[RATE]
    response.headers["RateLimit-Policy"] = f'"{quota.policy}";q={quota.limit};w={WINDOW_S}'
    response.headers["RateLimit"] = f'"{quota.policy}";r={standing.remaining};t={standing.reset_s}'
