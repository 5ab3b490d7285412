"""A sliding window of a minute, counted by this process alone.

Two counts a key, of this minute and of the one before, of which the share that is still within the last sixty seconds
is counted: the algorithm that `limits` calls a sliding window counter. The memory storage of `limits` is not used: it
reads the wall clock and walks over all its keys after a hit, and strangers choose how many keys there are.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

WINDOW_S: Final = 60


@dataclass(frozen=True, slots=True)
class Counts:
    """Requests of this minute, which has `left_s` to go, and of the minute before."""

    current: int
    previous: int
    left_s: float

    @property
    def weight(self) -> float:
        """How many count at this moment."""
        return self.current + self.previous * self.left_s / WINDOW_S


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a caller stands: `remaining` requests now, one more in `reset_s` seconds if none is made until then."""

    admitted: bool
    remaining: int
    reset_s: int

    @classmethod
    def of(cls, counts: Counts, *, limit: int, admitted: bool) -> Standing:
        remaining = max(0, math.floor(limit - counts.weight))
        return cls(admitted, remaining, max(1, math.ceil(_falls_to(limit - remaining - 1, counts))))


def _falls_to(weight: int, counts: Counts) -> float:
    """Seconds until what counts has fallen to `weight`."""
    # The minute before leaves evenly; from the end of this one on, this one does.
    if counts.previous and (seconds := (counts.weight - weight) * WINDOW_S / counts.previous) <= counts.left_s:
        return seconds
    if counts.current <= weight:
        return counts.left_s
    return counts.left_s + (counts.current - weight) * WINDOW_S / counts.current


class SlidingMinute:
    """Requests of the last minute, by key. What is over is forgotten as a whole, without a walk over the keys."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._began = monotonic()
        self._current: dict[str, int] = {}
        self._previous: dict[str, int] = {}

    def hit(self, key: str, limit: int) -> Standing:
        """Count a request unless it is one too many: those that are refused cost nothing."""
        left_s = self._turn()
        admitted = self._counts(key, left_s).weight + 1 <= limit
        if admitted:
            self._current[key] = self._current.get(key, 0) + 1
        return Standing.of(self._counts(key, left_s), limit=limit, admitted=admitted)

    def _counts(self, key: str, left_s: float) -> Counts:
        return Counts(self._current.get(key, 0), self._previous.get(key, 0), left_s)

    def _turn(self) -> float:
        """Begin a new minute when this one is over; returns the seconds that the present one has left."""
        elapsed_s = self._monotonic() - self._began
        if elapsed_s >= WINDOW_S:
            self._previous = self._current if elapsed_s < 2 * WINDOW_S else {}
            self._current = {}
            self._began += elapsed_s - elapsed_s % WINDOW_S
            elapsed_s %= WINDOW_S
        return WINDOW_S - elapsed_s
