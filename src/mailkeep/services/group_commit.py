"""One transaction for many: whatever arrives while a commit runs goes into the next one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Generic, TypeVar

from mailkeep.errors import Unavailable

Item = TypeVar("Item")
Result = TypeVar("Result")

MAX_BATCH: Final = 100
# A transaction must be over in seconds, and a packet of it fit through the driver.
MAX_BATCH_BYTES: Final = 8 * 1024 * 1024


class GroupCommit(Generic[Item, Result]):
    """Collects items and hands them over in batches, one batch at a time, in the order of their arrival.

    `commit` takes a batch and gives one result an item. What it raises is raised to everybody in the batch.
    `weigh` says how many bytes an item adds to the transaction: a batch is limited in number and in bytes.
    """

    def __init__(
        self, commit: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]], *, weigh: Callable[[Item], int]
    ) -> None:
        self._commit = commit
        self._weigh = weigh
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._arrived = asyncio.Event()
        self._closing = False
        self._closed = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Commits while the block lasts; when it ends, what has arrived is still committed."""
        runner = asyncio.create_task(self._run(), name="group commit")
        try:
            yield
        finally:
            self._closing = True
            self._arrived.set()
            await runner

    async def submit(self, item: Item) -> Result:
        """Waits for the item's batch. Cancelling the wait does not take the item out of it.

        Raises Unavailable when nobody commits any more.
        """
        if self._closed:
            raise Unavailable("no more commits: shutting down")
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        self._arrived.set()
        return await future

    def refuse_waiting(self, error: Exception) -> None:
        """Raise an error to everybody who waits for a later batch: what `commit` met would only hold them up longer."""
        waiting, self._waiting = self._waiting, []
        for _, future in waiting:
            _fail(future, error)

    async def _run(self) -> None:
        try:
            await self._commit_all()
        finally:
            self._closed = True
            for _, future in self._waiting:
                _fail(future, Unavailable("no more commits: shutting down"))

    async def _commit_all(self) -> None:
        while True:
            if not self._waiting:
                if self._closing:
                    return
                self._arrived.clear()
                await self._arrived.wait()
                continue
            size = self._next_batch()
            batch, self._waiting = self._waiting[:size], self._waiting[size:]
            await self._hand_over(batch)

    def _next_batch(self) -> int:
        """How many of those that wait go together: one at least, whatever it weighs."""
        weight = 0
        for size, (item, _) in enumerate(self._waiting[:MAX_BATCH]):
            weight += self._weigh(item)
            if weight > MAX_BATCH_BYTES and size:
                return size
        return min(len(self._waiting), MAX_BATCH)

    async def _hand_over(self, batch: Sequence[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._commit([item for item, _ in batch])
        except asyncio.CancelledError:
            for _, future in batch:
                _fail(future, Unavailable("the commit was cancelled"))
            runner = asyncio.current_task()
            if runner is not None and runner.cancelling():
                raise
            return  # something within the commit was cancelled, not we: the next batch must go on
        except Exception as error:  # noqa: BLE001  it belongs to those who wait, and the next batch must go on
            for _, future in batch:
                _fail(future, error)
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
