"""Answers that a client may have already (RFC 9110 sections 8.8.3 and 13.1.2)."""

from __future__ import annotations

import hashlib

from aiohttp import web

_OF_THE_BODY = frozenset({"content-length", "content-type", "content-disposition"})


def conditional(request: web.Request, response: web.Response) -> web.Response:
    """The response with a strong ETag of its body, or 304 in its place when the client has just that."""
    body = response.body if isinstance(response.body, bytes) else b""
    etag = hashlib.sha256(body).hexdigest()[:32]
    if has_already(request, etag):
        return not_modified(etag, response)
    response.etag = etag
    return response


def has_already(request: web.Request, etag: str) -> bool:
    return any(known.value in (etag, "*") for known in request.if_none_match or ())


def not_modified(etag: str, response: web.StreamResponse) -> web.Response:
    """304 with the headers of the response in whose place it stands: a cache goes on with these."""
    headers = {name: value for name, value in response.headers.items() if name.lower() not in _OF_THE_BODY}
    unchanged = web.Response(status=304, headers=headers)
    unchanged.etag = etag
    return unchanged
