"""Hints that something happened. They only save time: whoever waits also looks at the database once a second."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

LOOK_AGAIN_S: Final = 1.0

RECIPIENTS: Final = "recipients"


def mail_for(account_id: str) -> str:
    """The topic of mail that arrived for an account."""
    return f"mail:{account_id}"


class Listener:
    """Wakes when its topic is notified. Made before the look at the database, so that nothing falls in between."""

    def __init__(self, event: asyncio.Event) -> None:
        self._event = event

    async def wait(self, timeout_s: float) -> None:
        """Until the next hint since the last call, or until it is time to look again."""
        try:
            async with asyncio.timeout(max(0.0, min(timeout_s, LOOK_AGAIN_S))):
                await self._event.wait()
        except TimeoutError:
            return
        self._event.clear()


class Hints:
    """Topics and who listens to them in this process; with a relay, other processes hear of them too."""

    def __init__(self, relay: Callable[[str], None] | None = None) -> None:
        """`relay` takes each topic that is notified here; it does not wait."""
        self._events: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._relay = relay
        self.listened = asyncio.Event()  # set once anybody has listened

    def notify(self, topic: str) -> None:
        """Something happened, and is committed."""
        self.wake(topic)
        if self._relay is not None:
            self._relay(topic)

    def wake(self, topic: str) -> None:
        """Those in this process."""
        for event in self._events.get(topic, ()):
            event.set()

    def wake_all(self) -> None:
        """Whatever they listen to."""
        for topic in self._events:
            self.wake(topic)

    @contextmanager
    def listen(self, topic: str) -> Iterator[Listener]:
        event = asyncio.Event()
        self._events[topic].add(event)
        self.listened.set()
        try:
            yield Listener(event)
        finally:
            self._events[topic].discard(event)
            if not self._events[topic]:
                del self._events[topic]
