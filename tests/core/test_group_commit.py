"""Batches: whatever arrives while a commit runs, in order, limited in number and in bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from mailkeep.errors import Unavailable
from mailkeep.services.group_commit import MAX_BATCH, MAX_BATCH_BYTES, GroupCommit


class Committed:
    """Keeps the batches that it was given; the first one takes its time."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    async def __call__(self, batch: Sequence[int]) -> list[int]:
        self.batches.append(list(batch))
        await asyncio.sleep(0.01)
        return list(batch)


async def committed(items: list[int]) -> list[list[int]]:
    """The batches in which items that weigh what they are were committed, after a first one that weighs nothing."""
    commit = Committed()
    group: GroupCommit[int, int] = GroupCommit(commit, weigh=lambda item: item)
    async with group.running():
        first = asyncio.create_task(group.submit(0))
        await asyncio.sleep(0.001)
        assert await asyncio.gather(*(group.submit(item) for item in items)) == items
        await first
    return commit.batches[1:]


async def test_what_arrives_during_a_commit_goes_together() -> None:
    assert await committed([1, 2, 3]) == [[1, 2, 3]]


async def test_a_batch_is_limited_in_number() -> None:
    assert [len(batch) for batch in await committed([1] * (MAX_BATCH + 7))] == [MAX_BATCH, 7]


@pytest.mark.parametrize("weight", [MAX_BATCH_BYTES, MAX_BATCH_BYTES * 3])
async def test_a_batch_is_limited_in_bytes(weight: int) -> None:
    assert await committed([5, weight, 7, weight]) == [[5], [weight], [7], [weight]]


async def test_whoever_waits_can_be_refused_with_the_batch() -> None:
    async def commit(batch: Sequence[int]) -> list[int]:
        await asyncio.sleep(0.01)
        if 0 in batch:
            group.refuse_waiting(Unavailable("away"))
        return list(batch)

    group: GroupCommit[int, int] = GroupCommit(commit, weigh=lambda _: 0)
    async with group.running():
        first = asyncio.create_task(group.submit(0))
        await asyncio.sleep(0.001)
        with pytest.raises(Unavailable):
            await group.submit(1)
        assert (await first, await group.submit(2)) == (0, 2)
