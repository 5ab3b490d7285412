"""`Idempotency-Key`: a request that is sent again is answered again, and not done again.

draft-ietf-httpapi-idempotency-key-header. A route declares `idempotent=True`. A key belongs to an account, to one route
and to one body. What failed is not kept: the same key can be used once what was wrong is mended.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from aiohttp import web
from pydantic import BaseModel

from mailkeep.domain.idempotency import Claim, KeptAnswer
from mailkeep.errors import Unavailable
from mailkeep_api.keys import ORIGIN
from mailkeep_api.problems import DONE_ALREADY, KEY_INVALID, KEY_REUSED, UNDER_WAY, RequestProblem
from mailkeep_api.routing import Call, Route

REQUEST_HEADER: Final = "Idempotency-Key"
REPLAYED_HEADER: Final = "Idempotency-Replayed"
MAX_KEY_CHARS: Final = 255
# The draft has a String of RFC 8941; most clients send it without the quotes.
_KEY: Final = re.compile(r'"([\x20-\x21\x23-\x5b\x5d-\x7e]+)"|([\x21\x23-\x2b\x2d-\x5b\x5d-\x7e]+)')

log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger()


async def answered_once(
    call: Call, route: Route, body: BaseModel | None, answer: Callable[[], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """What `answer` gives; what it gave, when the request has been answered before.

    Raises RequestProblem: 400 for a key that is none, 409 while the first request is under way and where its answer
    is not kept, 422 for a key of another request.
    """
    key, account_id = key_of(call.request), call.actor.account_id
    if key is None or account_id is None:
        return await answer()
    key_sha256 = hashlib.sha256(key.encode()).hexdigest()
    fingerprint = _fingerprint(call, body)
    first = await call.core.idempotency.claim(account_id, key_sha256, fingerprint=fingerprint)
    if first is not None:
        return _again(first, fingerprint)
    call.request[ORIGIN].claim = key_sha256
    try:
        response = await answer()
    except BaseException:
        await _release(call, account_id, key_sha256)
        raise
    await _keep(call, account_id, key_sha256, _kept(response, with_body=not route.secret))
    return response


def key_of(request: web.Request) -> str | None:
    """None without the header. Raises RequestProblem (400) for more than one, and for what is no key."""
    values = request.headers.getall(REQUEST_HEADER, [])
    if not values:
        return None
    found = _KEY.fullmatch(values[0].strip())
    key = (found[1] or found[2]) if found else ""
    if len(values) > 1 or not key or len(key) > MAX_KEY_CHARS:
        raise RequestProblem(KEY_INVALID)
    return key


def _again(first: Claim, fingerprint: str) -> web.Response:
    if first.fingerprint != fingerprint:
        raise RequestProblem(KEY_REUSED)
    if first.is_under_way:
        raise RequestProblem(UNDER_WAY)
    if first.answer is None or first.answer.body is None:
        raise RequestProblem(DONE_ALREADY)
    headers = {REPLAYED_HEADER: "true"}
    if first.answer.location is not None:
        headers["Location"] = first.answer.location
    return web.Response(
        status=first.answer.status, body=first.answer.body, content_type="application/json", headers=headers
    )


async def _keep(call: Call, account_id: str, key_sha256: str, answer: KeptAnswer) -> None:
    try:
        await call.core.idempotency.keep(account_id, key_sha256, answer)
    except Unavailable:
        # It is done and marked so: who asks again is told that much.
        log.warning("idempotency.not_kept")


async def _release(call: Call, account_id: str, key_sha256: str) -> None:
    try:
        await call.core.idempotency.release(account_id, key_sha256)
    except Unavailable:
        # It is released by time; the error that is on its way says more.
        log.warning("idempotency.not_released")


def _kept(response: web.StreamResponse, *, with_body: bool) -> KeptAnswer:
    body = response.body if isinstance(response, web.Response) and isinstance(response.body, bytes) else b""
    return KeptAnswer(response.status, body if with_body else None, response.headers.get("Location"))


def _fingerprint(call: Call, body: BaseModel | None) -> str:
    """Of the body as it was understood: the order of its members makes no other request."""
    said = body.model_dump_json() if body is not None else ""
    return hashlib.sha256(f"{call.request.method} {call.request.raw_path}\n{said}".encode()).hexdigest()
