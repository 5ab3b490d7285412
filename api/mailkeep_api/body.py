"""Request bodies: JSON as I-JSON has it (RFC 7493), so that everybody who reads a body reads the same."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final, NoReturn

from aiohttp import web

from mailkeep_api.problems import MALFORMED, TOO_SLOW, UNSUPPORTED_MEDIA_TYPE, RequestProblem

BODY_TIMEOUT_S: Final = 30


async def read_json(request: web.Request) -> object:
    """The body as Python values. Raises RequestProblem (400, 408, 415) and HTTPRequestEntityTooLarge."""
    if request.content_type != "application/json" or (request.charset or "utf-8").lower() != "utf-8":
        raise RequestProblem(UNSUPPORTED_MEDIA_TYPE)
    return parse_json(await read_bytes(request))


async def read_bytes(request: web.Request) -> bytes:
    """The body as it came, in time. Raises RequestProblem (408) and HTTPRequestEntityTooLarge."""
    if request.content_length is not None and request.content_length > request.client_max_size:
        raise web.HTTPRequestEntityTooLarge(request.client_max_size, request.content_length)
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            return await request.read()
    except TimeoutError as error:
        raise RequestProblem(TOO_SLOW) from error


def parse_json(raw: bytes) -> object:
    """Raises RequestProblem (400) for what is not JSON in UTF-8, and for what readers disagree about.

    That is: a name twice in one object, NaN and Infinity, half a surrogate pair, nesting or digits without end.
    """
    try:
        value: object = json.loads(raw.decode(), object_pairs_hook=_unique_names, parse_constant=_refuse)
        json.dumps(value, ensure_ascii=False).encode()  # fails on a lone surrogate, which no database takes
    except (ValueError, RecursionError) as error:
        raise RequestProblem(MALFORMED) from error
    return value


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name twice in one object")
    return members


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
