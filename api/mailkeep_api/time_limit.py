"""How long a request may be worked on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from mailkeep_api.problems import GIVEN_UP, RequestProblem

T = TypeVar("T")


async def in_time(answer: Awaitable[T], limit_s: float) -> T:
    """The answer. Raises RequestProblem (503) when it takes longer; the transaction under way is rolled back then.

    503 and not 504: no other server was asked, and the same request may do next time.
    """
    try:
        async with asyncio.timeout(limit_s) as limit:
            return await answer
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise RequestProblem(GIVEN_UP) from error
