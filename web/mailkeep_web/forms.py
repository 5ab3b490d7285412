"""Forms: what was typed, and what is wrong with it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web

from mailkeep_api.body import BODY_TIMEOUT_S
from mailkeep_api.problems import MALFORMED, TOO_SLOW, UNSUPPORTED_MEDIA_TYPE, RequestProblem

MAX_FIELDS: Final = 32
WHOLE_FORM: Final = ""
PASSWORD_FIELDS: Final = frozenset({"password", "current", "new"})  # a space at an end of one counts


@dataclass(frozen=True, slots=True)
class Form:
    """Values by field, and errors by field; the error of the form as a whole is under the empty name."""

    values: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)

    def value(self, name: str) -> str:
        return self.values.get(name, "")

    def error(self, name: str) -> str:
        return self.errors.get(name, "")

    def with_error(self, name: str, text: str) -> Form:
        return replace(self, errors={**self.errors, name: text})


async def read_form(request: web.Request) -> Form:
    """A form with one value a field. Raises RequestProblem (400, 408, 415)."""
    pairs = await read_pairs(request, max_fields=MAX_FIELDS)
    return Form(values={name: value if name in PASSWORD_FIELDS else value.strip() for name, value in pairs})


async def read_pairs(request: web.Request, *, max_fields: int) -> list[tuple[str, str]]:
    """The fields of a urlencoded body in their order; no page of ours sends files. Raises as `read_form` does."""
    if request.content_type != "application/x-www-form-urlencoded" or "Content-Encoding" in request.headers:
        raise RequestProblem(UNSUPPORTED_MEDIA_TYPE)
    if request.content_length is not None and request.content_length > request.client_max_size:
        raise web.HTTPRequestEntityTooLarge(request.client_max_size, request.content_length)
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            raw = await request.read()
    except TimeoutError as error:
        raise RequestProblem(TOO_SLOW) from error
    try:
        return parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=max_fields)
    except ValueError as error:
        raise RequestProblem(MALFORMED) from error
