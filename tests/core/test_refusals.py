"""Refusals: kept for their owner, counted by address, reply and minute, forgotten in time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import func, select

from core.conftest import POLICY, Customer, settings_for
from mailkeep.bootstrap import Core, open_core
from mailkeep.domain.refusal import Refusal
from mailkeep.errors import NotAllowed, NotFound
from mailkeep.storage.schema import refusals
from mailkeep.storage.upgrade import upgrade_schema

# A log-in must be of the real present; the start of a minute, so that a test stays within it.
START: Final = datetime.now(UTC).replace(second=10, microsecond=0) - timedelta(minutes=1)


@dataclass
class Clock:
    now: datetime = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def core(tmp_path: Path, database_url: str, clock: Clock) -> AsyncIterator[Core]:
    settings = settings_for(tmp_path, database_url)
    await upgrade_schema(settings)
    async with open_core(settings, clock=clock) as core:
        yield core


def refused(customer: Customer, clock: Clock, *, count: int = 1, code: int = 450, status: str = "4.2.1") -> Refusal:
    return Refusal(
        address_id=customer.address.id,
        code=code,
        status=status,
        reason="too much",
        mail_from="sender@elsewhere.test",
        rcpt_to=customer.address.address,
        client_ip="192.0.2.1",
        client_name="mx.elsewhere.test",
        first_at=clock(),
        last_at=clock(),
        count=count,
    )


async def rows(core: Core) -> int:
    async with core.database.read() as connection:
        return int((await connection.execute(select(func.count()).select_from(refusals))).scalar_one())


async def test_refusals_of_a_minute_are_one_row(core: Core, alice: Customer, clock: Clock) -> None:
    await core.refusals.record(
        POLICY, [refused(alice, clock, count=2), refused(alice, clock, code=552, status="5.3.4")]
    )
    clock.now += timedelta(seconds=20)
    later = replace(refused(alice, clock, count=3), mail_from="another@elsewhere.test")
    await core.refusals.record(POLICY, [later, later])
    clock.now += timedelta(seconds=40)
    await core.refusals.record(POLICY, [refused(alice, clock)])
    found, more = await core.refusals.list(alice.actor, alice.address.id)
    assert more is None
    told = {(stored.refusal.first_at, stored.refusal.code): stored.refusal for stored in found}
    first = told[START, 450]
    assert (first.count, first.last_at - first.first_at) == (8, timedelta(seconds=20))
    assert (first.mail_from, first.client_name) == ("sender@elsewhere.test", "mx.elsewhere.test")
    assert sorted(refusal.count for refusal in told.values()) == [1, 1, 8]
    assert found[0].refusal.first_at == clock.now


async def test_pages_from_the_newest(core: Core, alice: Customer, clock: Clock) -> None:
    for _ in range(5):
        await core.refusals.record(POLICY, [refused(alice, clock)])
        clock.now += timedelta(minutes=1)
    seen, before = [], None
    while True:
        page, before = await core.refusals.list(alice.actor, alice.address.id, limit=2, before=before)
        seen += [stored.refusal.first_at for stored in page]
        if before is None:
            break
    assert len(seen) == 5
    assert seen == sorted(seen, reverse=True)


async def test_nobody_sees_anothers(core: Core, alice: Customer, bob: Customer, clock: Clock) -> None:
    await core.refusals.record(POLICY, [refused(alice, clock)])
    with pytest.raises(NotFound):
        await core.refusals.list(bob.actor, alice.address.id)
    assert await core.refusals.list(bob.actor, bob.address.id) == ([], None)
    with pytest.raises(NotAllowed):
        await core.refusals.record(bob.actor, [refused(alice, clock)])


async def test_what_names_no_address_is_left_out(core: Core, alice: Customer, clock: Clock) -> None:
    unknown = replace(refused(alice, clock), address_id="no address of ours")
    await core.refusals.record(POLICY, [unknown])
    await core.refusals.record(POLICY, [unknown, refused(alice, clock)])
    assert await rows(core) == 1


async def test_the_clock_of_another_host(core: Core, alice: Customer, clock: Clock) -> None:
    tomorrow = clock() + timedelta(days=1)
    await core.refusals.record(POLICY, [replace(refused(alice, clock), first_at=tomorrow, last_at=tomorrow)])
    [stored], _ = await core.refusals.list(alice.actor, alice.address.id)
    assert stored.refusal.first_at == stored.refusal.last_at == clock()


async def test_what_is_reported_too_late_is_left_out(core: Core, alice: Customer, clock: Clock) -> None:
    for long_ago in (datetime.min.replace(tzinfo=UTC), clock() - timedelta(days=8)):
        await core.refusals.record(POLICY, [replace(refused(alice, clock), first_at=long_ago, last_at=long_ago)])
    assert await rows(core) == 0
    await core.refusals.record(POLICY, [replace(refused(alice, clock), first_at=long_ago)])
    [stored], _ = await core.refusals.list(alice.actor, alice.address.id)
    assert stored.refusal.first_at == clock() - timedelta(minutes=1)


async def test_they_are_kept_as_long_as_messages(core: Core, alice: Customer, clock: Clock) -> None:
    await core.refusals.record(POLICY, [refused(alice, clock)])
    clock.now += timedelta(days=7)
    assert await core.refusals.list(alice.actor, alice.address.id) == ([], None)
    assert await rows(core) == 1
    assert await core.refusals.remove_expired() == 1
    assert await rows(core) == 0


async def test_recording_removes_what_has_expired(core: Core, alice: Customer, clock: Clock) -> None:
    for _ in range(3):
        await core.refusals.record(POLICY, [refused(alice, clock)])
        clock.now += timedelta(minutes=1)
    clock.now += timedelta(days=7)
    core.refusals._expired_at = float("-inf")  # a minute later
    await core.refusals.record(POLICY, [refused(alice, clock)])
    assert await rows(core) == 1


async def test_many_reporters_at_once(core: Core, alice: Customer, bob: Customer, clock: Clock) -> None:
    for _ in range(5):
        batches = [[refused(alice, clock), refused(bob, clock)], [refused(bob, clock), refused(alice, clock)]] * 3
        await asyncio.gather(*(core.refusals.record(POLICY, batch) for batch in batches))
    for customer in (alice, bob):
        [stored], _ = await core.refusals.list(customer.actor, customer.address.id)
        assert stored.refusal.count == 30
