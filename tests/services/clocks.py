"""Clocks that tests set."""

from __future__ import annotations

from datetime import datetime, timedelta

from mailkeep.domain.clock import utc_now


class Moving:
    """A clock that can be set forward."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return utc_now() + self.ahead
