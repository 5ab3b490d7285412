"""Where refusals go: to core where there is a database, else to the API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
import structlog

from mailkeep.bootstrap import Core
from mailkeep.config import Recipients
from mailkeep.domain.clock import rfc3339
from mailkeep.domain.refusal import Refusal
from mailkeep.domain.scope import Actor, Scope
from mailkeep.errors import MailkeepError
from mailkeep.services.refusals import Refusals
from mailkeep_mxd.feed import check_api_url
from mailkeep_mxd.refusals import RefusalSink, SinkUnavailable

PATH: Final = "/api/internal/refusals"

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class CoreSink:
    """Core in the same process."""

    def __init__(self, refusals: Refusals) -> None:
        self._refusals = refusals
        self._actor = Actor(scopes=frozenset({Scope.POLICY}))

    async def record(self, batch: Sequence[Refusal]) -> None:
        try:
            await self._refusals.record(self._actor, batch)
        except MailkeepError as error:
            raise SinkUnavailable(type(error).__name__) from error


class HttpSink:
    """`POST /api/internal/refusals` with the token of the recipients feed."""

    def __init__(self, client: aiohttp.ClientSession, settings: Recipients) -> None:
        self._client = client
        self._url = settings.api_url.rstrip("/") + PATH
        self._timeout = aiohttp.ClientTimeout(total=settings.timeout_s)
        self._headers = {"Authorization": f"Bearer {settings.token.get_secret_value()}"}

    async def record(self, batch: Sequence[Refusal]) -> None:
        body = {"items": [_item(refusal) for refusal in batch]}
        try:
            # A redirect would carry the token to wherever it points.
            async with self._client.post(
                self._url, json=body, headers=self._headers, timeout=self._timeout, allow_redirects=False
            ) as response:
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise SinkUnavailable(type(error).__name__) from error
        if status in {400, 413, 422}:
            # The API will never take these, and must not be asked again each second.
            log.error("refusals.rejected", status=status, count=len(batch))
        elif status != 204:
            raise SinkUnavailable(f"status_{status}")


@asynccontextmanager
async def open_sink(core: Core | None, settings: Recipients) -> AsyncIterator[RefusalSink]:
    """Raises ConfigurationError for an URL that cannot work."""
    if core is not None:
        yield CoreSink(core.refusals)
        return
    check_api_url(settings.api_url)
    async with aiohttp.ClientSession() as client:
        yield HttpSink(client, settings)


def _item(refusal: Refusal) -> dict[str, Any]:
    told = {name: getattr(refusal, name) for name in Refusal.__dataclass_fields__}
    return {**told, "first_at": rfc3339(refusal.first_at), "last_at": rfc3339(refusal.last_at)}
