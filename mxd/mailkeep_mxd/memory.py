"""How much mail may be in memory at one moment, over all sessions of the process.

What one DATA costs while it arrives was taken from where its bytes are: the stream reader holds up to 128 KiB and
one socket read of 256 KiB more, the chunk on its way and its copy 512 KiB, and the compressor and the parser's
text (capped at 2 MB, held once as bytes and once as str) grow with the message. Attachments go to spool files and
cost nothing here. So a small message is counted with FLOOR_BYTES, a larger one with twice its declared size, and
no message with more than CEILING_BYTES, whatever its size. One that declares no size is counted with
UNDECLARED_BYTES, and asks for the rest up to the ceiling once it proves to be larger.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from typing import Final

from mailkeep.errors import MemoryBudgetExceeded

KIB: Final = 1024
FLOOR_BYTES: Final = 256 * KIB
UNDECLARED_BYTES: Final = 1024 * KIB
CEILING_BYTES: Final = 6 * 1024 * KIB


class MemoryBudget:
    """First come, first served: a large message at the head of the line is not overtaken by small ones."""

    def __init__(self, total_bytes: int, *, wait_s: float) -> None:
        self.total_bytes = total_bytes
        self._free = total_bytes
        self._wait_s = wait_s
        self._line: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def free_bytes(self) -> int:
        return self._free

    def for_message(self, declared_bytes: int | None) -> Reservation:
        """A claim for a message of that size, not yet made."""
        if declared_bytes is None:
            return Reservation(self, UNDECLARED_BYTES, covered_bytes=UNDECLARED_BYTES // 2)
        amount = min(max(2 * declared_bytes, FLOOR_BYTES), CEILING_BYTES)
        covered_bytes = sys.maxsize if amount == CEILING_BYTES else amount // 2
        return Reservation(self, amount, covered_bytes=covered_bytes)

    async def take(self, amount: int) -> int:
        """Wait for memory; returns what was taken. Raises MemoryBudgetExceeded when it takes too long."""
        amount = min(amount, self.total_bytes)
        if not self._line and amount <= self._free:
            self._free -= amount
            return amount
        turn = asyncio.get_running_loop().create_future()
        place = (amount, turn)
        self._line.append(place)
        try:
            async with asyncio.timeout(self._wait_s):
                await turn
        except BaseException as error:
            self._leave_line(place)
            if isinstance(error, TimeoutError):
                raise MemoryBudgetExceeded("too much mail is being received") from error
            raise
        return amount

    def try_take(self, amount: int) -> bool:
        """Take more without waiting: whoever holds memory and waits for more could wait for ever."""
        if self._line or amount > self._free:
            return False
        self._free -= amount
        return True

    def give_back(self, amount: int) -> None:
        self._free += amount
        self._serve_line()

    def _leave_line(self, place: tuple[int, asyncio.Future[None]]) -> None:
        amount, turn = place
        if turn.done() and not turn.cancelled():
            self.give_back(amount)  # our turn came in the same moment as the end of our patience
            return
        if place in self._line:
            self._line.remove(place)
        self._serve_line()

    def _serve_line(self) -> None:
        while self._line and (self._line[0][1].cancelled() or self._line[0][0] <= self._free):
            amount, turn = self._line.popleft()
            if not turn.cancelled():
                self._free -= amount
                turn.set_result(None)


class Reservation:
    """What one message holds of the budget, from before its 354 until its replies."""

    def __init__(self, budget: MemoryBudget, amount: int, *, covered_bytes: int) -> None:
        self._budget = budget
        self._amount = amount
        self._covered_bytes = covered_bytes
        self._held = 0

    def account_for(self, received_bytes: int) -> None:
        """To be told how much has arrived. Raises MemoryBudgetExceeded when it is more than was said, and too much."""
        if received_bytes <= self._covered_bytes:
            return
        rest = min(CEILING_BYTES, self._budget.total_bytes) - self._held
        if rest > 0:
            if not self._budget.try_take(rest):
                raise MemoryBudgetExceeded("larger than it said, and there is no memory for more")
            self._held += rest
        self._covered_bytes = sys.maxsize

    async def claim(self) -> None:
        """Wait for the memory. Raises MemoryBudgetExceeded when it takes too long."""
        self._held = await self._budget.take(self._amount)

    def release(self) -> None:
        self._budget.give_back(self._held)
        self._held = 0
