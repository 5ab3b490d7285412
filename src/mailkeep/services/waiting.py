"""Deadlines on the monotonic clock, which does not jump."""

from __future__ import annotations

import time
from collections.abc import Callable


def deadline_after(seconds: float) -> Callable[[], float]:
    """A function that says how many seconds are left, negative when it is over."""
    end = time.monotonic() + seconds
    return lambda: end - time.monotonic()
