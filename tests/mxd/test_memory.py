"""The memory budget: first come, first served, and nothing is ever lost of it."""

from __future__ import annotations

import asyncio

import pytest

from mailkeep.errors import MemoryBudgetExceeded
from mailkeep_mxd.memory import CEILING_BYTES, FLOOR_BYTES, UNDECLARED_BYTES, MemoryBudget, Reservation


async def test_large_messages_wait_their_turn_and_are_not_overtaken() -> None:
    budget = MemoryBudget(CEILING_BYTES + FLOOR_BYTES, wait_s=5)
    first, second, small = (budget.for_message(size) for size in (50_000_000, 50_000_000, 100))
    order: list[str] = []
    await first.claim()

    async def wait(name: str, reservation: Reservation) -> None:
        await reservation.claim()
        order.append(name)

    waiting = [asyncio.create_task(wait("second", second)), asyncio.create_task(wait("small", small))]
    await asyncio.sleep(0.01)
    assert order == []  # the small one would fit, and does not jump the line
    first.release()
    await asyncio.gather(*waiting)
    assert order == ["second", "small"]
    second.release()
    small.release()
    assert budget.free_bytes == CEILING_BYTES + FLOOR_BYTES


async def test_patience_ends_with_an_error_and_the_line_moves_on() -> None:
    budget = MemoryBudget(FLOOR_BYTES, wait_s=0.05)
    holder = budget.for_message(1)
    await holder.claim()
    with pytest.raises(MemoryBudgetExceeded):
        await budget.for_message(1).claim()
    cancelled = asyncio.create_task(budget.for_message(1).claim())
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.gather(cancelled, return_exceptions=True)
    holder.release()
    assert budget.free_bytes == FLOOR_BYTES
    again = budget.for_message(None)
    await again.claim()  # a budget smaller than one message still takes one at a time
    assert budget.free_bytes == 0
    again.release()


async def test_a_message_that_said_it_was_small_takes_the_rest_or_fails() -> None:
    budget = MemoryBudget(UNDECLARED_BYTES + CEILING_BYTES, wait_s=1)
    liar, other = budget.for_message(None), budget.for_message(None)
    await liar.claim()
    await other.claim()
    liar.account_for(50_000_000)
    with pytest.raises(MemoryBudgetExceeded):
        other.account_for(50_000_000)
    liar.release()
    other.account_for(50_000_000)
    other.release()
    assert budget.free_bytes == UNDECLARED_BYTES + CEILING_BYTES
