"""What a client has seen already (RFC 9110 sections 8.8.3 and 13).

There is no Last-Modified: it has whole seconds, in which an address can change twice, and what is shown of a message
follows from rules of ours that change with the program. The ETag is of what was sent, and says it exactly.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from aiohttp import web
from pydantic import BaseModel

from mailkeep.errors import PreconditionFailed
from mailkeep_api.routing import READING

T = TypeVar("T")

# The same answer compressed is another representation (section 8.8.3.3), and as good to us when it comes back.
GZIP_SUFFIX: Final = "-gz"
_OF_THE_BODY = frozenset({"content-length", "content-type", "content-disposition"})


def json_body(model: BaseModel) -> bytes:
    """A model as an answer has it."""
    return model.model_dump_json(by_alias=True).encode()


def etag_of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:32]


def conditional(request: web.Request, response: web.Response) -> web.Response:
    """The response with a strong ETag of its body, or 304 in its place when the client has just that."""
    etag = etag_of(response.body if isinstance(response.body, bytes) else b"")
    if request.method in READING and has_already(request, etag):
        return not_modified(_as_known(request, etag), response)
    response.etag = etag
    return response


def has_already(request: web.Request, etag: str) -> bool:
    """By the weak comparison of section 8.8.3.2, as section 13.1.2 has it."""
    return any(_plain(known.value) in (etag, "*") for known in request.if_none_match or ())


def _as_known(request: web.Request, etag: str) -> str:
    """The ETag of what the client has: compressed or not, as it would get it again (section 15.4.5)."""
    return next((known.value for known in request.if_none_match or () if _plain(known.value) == etag), etag)


def not_modified(etag: str, response: web.StreamResponse) -> web.Response:
    """304 with the headers of the response in whose place it stands: a cache goes on with these."""
    headers = {name: value for name, value in response.headers.items() if name.lower() not in _OF_THE_BODY}
    unchanged = web.Response(status=304, headers=headers)
    unchanged.etag = etag
    return unchanged


async def seen_by(request: web.Request, current: Callable[[], Awaitable[tuple[T, BaseModel]]]) -> T | None:
    """What a client has seen of what it changes now, as its If-Match says; None when it does not say.

    `current` gives the thing and how it is shown. Raises PreconditionFailed when the client has seen something else;
    whoever changes the thing compares once more, in the transaction.
    """
    if "If-Match" not in request.headers:
        return None
    thing, shown = await current()
    etag = etag_of(json_body(shown))
    # The strong comparison, section 13.1.1: a weak tag matches nothing.
    if not any(not known.is_weak and _plain(known.value) in (etag, "*") for known in request.if_match or ()):
        raise PreconditionFailed("it is not what the client has seen")
    return thing


def _plain(etag: str) -> str:
    return etag.removesuffix(GZIP_SUFFIX)
