"""Work that is done beside everything else, again and again, until the program ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import structlog

from mailkeep.errors import Unavailable

log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger()


class Rounds:
    """Does `work` whenever it is woken, and every `every_s` without that. An error ends a round, never the rounds.

    `name` is the first word of its log events: `<name>.unavailable`, and `<name>.failed` for what nobody foresaw.
    """

    def __init__(
        self, name: str, work: Callable[[], Awaitable[object]], *, every_s: float, at_once: bool = False
    ) -> None:
        """`at_once`: the first round begins with the program."""
        self._name = name
        self._unavailable, self._failed = f"{name}.unavailable", f"{name}.failed"
        self._work = work
        self._every_s = every_s
        self._woken = asyncio.Event()
        self.closing = False  # work that goes on for long looks at this between its steps
        if at_once:
            self.wake()

    def wake(self) -> None:
        """There is something to do, and that is committed."""
        self._woken.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Rounds while the block lasts, and a last one when it ends; the one under way is finished."""
        runner = asyncio.create_task(self._run(), name=self._name)
        try:
            yield
        finally:
            self.closing = True
            self.wake()
            await runner

    async def _run(self) -> None:
        while not self.closing:
            try:
                async with asyncio.timeout(self._every_s):
                    await self._woken.wait()
            except TimeoutError:
                pass
            self._woken.clear()
            await self._round()

    async def _round(self) -> None:
        try:
            await self._work()
        except Unavailable as error:
            log.warning(self._unavailable, reason=type(error).__name__)
        except Exception as error:  # noqa: BLE001  this is the work's edge: nobody waits for it who could be told
            log.error(self._failed, reason=type(error).__name__)  # noqa: TRY400  its text may hold mail
