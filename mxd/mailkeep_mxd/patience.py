"""How long one client may keep us waiting: for its next command, for the whole of a message, and in all.

A message may be waited for `lmtp.data_timeout_s`, and a second more for each `lmtp.data_min_bytes_per_s` bytes of it
that have come. With the defaults a sender of one byte in ten seconds is given up after 300 s, the largest message has
65 minutes, a steady 10 kB/s is always enough, and at 2.4 kB/s (19,200 baud) a message of 900 kB still arrives.
What we spend on storing, or on making room in memory, is not the client's and does not count.
"""

from __future__ import annotations

from mailkeep.config import Lmtp
from mailkeep_mxd import replies
from mailkeep_mxd.replies import Reply


class Patience:
    """Told when we begin and cease to wait; all times are those of the event loop, in seconds."""

    def __init__(self, limits: Lmtp, now: float) -> None:
        self._limits = limits
        self._session_ends = now + limits.session_timeout_s
        self._waiting_since: float | None = None
        self._in_content = False
        self._content_waited_s = 0.0

    @property
    def first_look_s(self) -> float:
        """After how long a limit could be passed that begins now."""
        return min(self._limits.idle_timeout_s, self._limits.data_timeout_s, self._limits.session_timeout_s)

    def wait(self, now: float) -> None:
        self._waiting_since = now

    def go_on(self, now: float) -> None:
        if self._in_content and self._waiting_since is not None:
            self._content_waited_s += now - self._waiting_since
        self._waiting_since = None

    def begin_content(self) -> None:
        self._in_content, self._content_waited_s = True, 0.0

    def end_content(self) -> None:
        self._in_content = False

    def is_session_over(self, now: float) -> bool:
        return now >= self._session_ends

    def left(self, now: float, content_bytes: int) -> tuple[float, Reply]:
        """The seconds until the next limit is passed, and what is said then."""
        since = self._waiting_since
        if since is None:
            return self.first_look_s, replies.IDLE_TOO_LONG
        limits = [(since + self._limits.idle_timeout_s - now, replies.IDLE_TOO_LONG)]
        if self._in_content:
            allowed_s = self._limits.data_timeout_s + content_bytes / self._limits.data_min_bytes_per_s
            limits.append((allowed_s - self._content_waited_s - (now - since), replies.TOO_SLOW))
        else:
            limits.append((self._session_ends - now, replies.SESSION_TOO_LONG))
        return min(limits, key=lambda limit: limit[0])
