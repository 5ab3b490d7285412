"""JSON, and pages, in gzip for clients that take it.

The length of what is compressed tells something of it: whoever can put words into an answer, as the sender of a mail
can, and sees how long it is on the wire, can guess at what stands beside them (BREACH). So answers with secrets are
never compressed (`secret=True` at the route), and to all others a random length is added, in the place that gzip has
for a file name ("Heal the BREACH", Palma and others, 2022). Downloads and streams go out as they are, and so do pages
that answer a form: what is shown once is among them.
"""

from __future__ import annotations

import asyncio
import gzip
import io
import secrets
from typing import Final

from aiohttp import web

from mailkeep_api.etags import GZIP_SUFFIX

MIN_BYTES: Final = 1024
IN_A_THREAD_BYTES: Final = 16 * 1024
MAX_PADDING: Final = 100
LEVEL: Final = 6


async def compressed(
    request: web.Request, response: web.StreamResponse, *, media_type: str = "application/json"
) -> web.StreamResponse:
    """The response, compressed where it is of that type, that helps and the client takes it."""
    if not isinstance(response, web.Response) or response.status == 204:
        return response
    if response.status != 304 and response.content_type != media_type:
        return response
    response.headers.add("Vary", "Accept-Encoding")
    body = response.body if isinstance(response.body, bytes) else b""
    if response.status == 304 or len(body) < MIN_BYTES or not takes_gzip(request.headers.get("Accept-Encoding", "")):
        return response
    response.body = await asyncio.to_thread(_gzip, body) if len(body) > IN_A_THREAD_BYTES else _gzip(body)
    response.headers["Content-Encoding"] = "gzip"
    if response.etag is not None:
        response.etag = f"{response.etag.value}{GZIP_SUFFIX}"
    return response


def takes_gzip(accept_encoding: str) -> bool:
    """RFC 9110 section 12.5.3; no word is a no."""
    weights: dict[str, float] = {}
    for item in accept_encoding.lower().split(","):
        coding, *parameters = (part.strip() for part in item.split(";"))
        weights[coding] = _weight(parameters)
    return weights.get("gzip", weights.get("*", 0.0)) > 0


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def _gzip(body: bytes) -> bytes:
    padding = "a" * secrets.randbelow(MAX_PADDING + 1)
    compressed_body = io.BytesIO()
    with gzip.GzipFile(padding, "wb", compresslevel=LEVEL, fileobj=compressed_body, mtime=0) as file:
        file.write(body)
    return compressed_body.getvalue()
