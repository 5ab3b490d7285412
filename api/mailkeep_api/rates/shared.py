"""The same minute, counted by all processes together in Redis."""

from __future__ import annotations

from typing import Final

from limits import RateLimitItemPerMinute
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from mailkeep.storage.shared_counts import SharedCounts
from mailkeep_api.rates.window import WINDOW_S, Counts, Standing

KEY_PREFIX: Final = "mailkeep:requests"


class _PerMinute(RateLimitItemPerMinute):
    """Kept under the caller alone: a change of tier changes the limit and not what has been counted."""

    def key_for(self, *identifiers: bytes | str | float) -> str:
        return "/".join(map(str, identifiers))


class RedisMinute:
    """Asks Redis; None when it does not answer."""

    def __init__(self, counts: SharedCounts) -> None:
        self._counts = counts
        self._limiter = SlidingWindowCounterRateLimiter(counts.storage)

    async def hit(self, key: str, limit: int) -> Standing | None:
        item = _PerMinute(limit)

        async def ask() -> Standing:
            admitted = await self._limiter.hit(item, key)
            previous, previous_left_s, current, _ = await self._counts.storage.get_sliding_window(key, WINDOW_S)
            # The minute before counts as long as this one lasts; without one there is no such time.
            left_s = previous_left_s if previous else WINDOW_S
            return Standing.of(Counts(current, previous, left_s), limit=limit, admitted=admitted)

        return await self._counts.ask(ask)
