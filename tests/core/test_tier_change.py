"""A change of tier: what is in force at once, what happens to stored mail and when, on each engine."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, update

from core.conftest import POLICY, Customer, deliver
from mailkeep.bootstrap import Core
from mailkeep.config import FREE, PAID, Settings
from mailkeep.domain.address import Address, AddressStatus
from mailkeep.domain.audit import ActorKind, AuditQuery
from mailkeep.domain.clock import utc_now
from mailkeep.domain.ids import new_id
from mailkeep.domain.scope import Actor, Scope
from mailkeep.errors import LimitReached
from mailkeep.services import redating
from mailkeep.services.redating import ExpiryRedating
from mailkeep.storage import schema

ADMIN = Actor(scopes=frozenset({Scope.ADMIN}), token_id="0123456789abcdef")
DAY = timedelta(days=1)
MAIL = b"Subject: hello\r\n\r\nThe body.\r\n"


async def set_tier(customer: Customer, tier: str) -> None:
    await customer.core.administration.change(ADMIN, customer.address.account_id, tier=tier)


async def addresses_of(customer: Customer) -> list[Address]:
    """Oldest first."""
    found, _ = await customer.core.addresses.list(customer.actor, limit=200)
    return found[::-1]


async def store(customer: Customer, count: int, *, days_ago: float = 0) -> list[str]:
    """Messages as they would be there if they had come so long ago, under the tier of today; their ids."""
    before = {message.id for message in await customer.messages()}
    for _ in range(count):
        assert await deliver(customer.core, MAIL, customer.recipient(), queue_id=new_id()) == [None]
    new = [message for message in await customer.messages() if message.id not in before]
    async with customer.core.database.write() as connection:
        for message in new:
            moved = {
                "received_at": message.received_at - days_ago * DAY,
                "expires_at": message.expires_at - days_ago * DAY,
            }
            await connection.execute(update(schema.messages).where(schema.messages.c.id == message.id).values(**moved))
    return [message.id for message in new]


async def kept_days(customer: Customer, now: datetime) -> list[int]:
    """Of each message, oldest first, for how many days from now it is kept."""
    return [round((message.expires_at - now) / DAY) for message in await customer.messages()]


async def test_a_smaller_tier_keeps_the_oldest_active_addresses(core: Core, alice: Customer) -> None:
    await set_tier(alice, "paid")
    for _ in range(6):
        await core.addresses.create(alice.actor)
    second = (await addresses_of(alice))[1]
    await core.addresses.update(alice.actor, second.id, active=False)
    cursor = (await core.recipients.changes(POLICY, 0)).cursor
    await set_tier(alice, "free")

    found = await addresses_of(alice)
    active = [address.status is AddressStatus.ACTIVE for address in found]
    assert active == [True, False, True, True, False, False, False]
    fed = (await core.recipients.changes(POLICY, cursor)).recipients
    assert {each.address_id: each.active for each in fed} == {
        address.id: is_active for address, is_active in zip(found, active, strict=True)
    }
    assert {each.per_hour for each in fed} == {FREE.received_per_hour}
    (record, _), _ = await core.audit.list(alice.actor, AuditQuery(action="admin.account_update"))
    assert (record.actor_kind, record.actor_id, record.resource) == (
        ActorKind.SERVICE,
        ADMIN.token_id,
        alice.address.account_id,
    )
    assert record.detail == "tier=free status=active from=paid to=free addresses_inactive=3"


async def test_what_became_inactive_needs_room_to_be_active(core: Core, alice: Customer) -> None:
    await set_tier(alice, "paid")
    for _ in range(3):
        await core.addresses.create(alice.actor)
    await set_tier(alice, "free")
    first, *_, last = await addresses_of(alice)
    with pytest.raises(LimitReached):
        await core.addresses.update(alice.actor, last.id, active=True)
    assert (await core.addresses.update(alice.actor, last.id, label="still to be named")).label == "still to be named"
    await core.addresses.update(alice.actor, first.id, active=True)  # it is already
    await core.addresses.update(alice.actor, first.id, active=False)
    await core.addresses.update(alice.actor, last.id, active=True)
    with pytest.raises(LimitReached):
        await core.addresses.update(alice.actor, first.id, active=True)
    await set_tier(alice, "paid")
    await core.addresses.update(alice.actor, first.id, active=True)


async def test_stored_mail_is_kept_longer_by_a_larger_tier(core: Core, alice: Customer) -> None:
    await store(alice, 1, days_ago=6)
    await store(alice, 1)
    now = utc_now()
    assert await kept_days(alice, now) == [1, 7]
    await set_tier(alice, "paid")
    await core.redating.work_off()
    assert await kept_days(alice, now) == [84, 90]


async def test_a_smaller_tier_deletes_nothing_at_once(core: Core, alice: Customer) -> None:
    await set_tier(alice, "paid")
    for days_ago in (88, 30, 0):
        await store(alice, 1, days_ago=days_ago)
    now = utc_now()
    await set_tier(alice, "free")
    await core.redating.work_off()
    assert await kept_days(alice, now) == [2, 7, 7]  # what had less left keeps what it had
    await store(alice, 1)
    assert await kept_days(alice, now) == [2, 7, 7, 7]
    await set_tier(alice, "paid")
    await core.redating.work_off()
    assert await kept_days(alice, now) == [2, 60, 90, 90]


@given(
    age_h=st.integers(0, 24 * 200),
    was_kept_h=st.integers(1, 24 * 200),
    keeps_days=st.sampled_from([7, 8, 90]),
)
def test_the_rule_never_ends_a_message_early_and_is_stable(age_h: int, was_kept_h: int, keeps_days: int) -> None:
    tier = Settings(tiers={"free": FREE.model_copy(update={"retention_days": keeps_days})}).tier("free")
    now = utc_now()
    received, expires = now - timedelta(hours=age_h), now + timedelta(hours=was_kept_h)
    until = tier.kept_until(received_at=received, expires_at=expires, changed_at=now)
    assert until >= min(expires, now + keeps_days * DAY)
    assert until <= max(received + keeps_days * DAY, now + keeps_days * DAY)
    assert tier.kept_until(received_at=received, expires_at=until, changed_at=now) == until


async def test_stored_mail_is_worked_through_in_batches_from_where_it_ended(
    core: Core, alice: Customer, bob: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redating, "MESSAGES_AT_ONCE", 4)
    for customer in (alice, bob):
        await store(customer, 10)
    await set_tier(alice, "paid")
    killed = ExpiryRedating(core.database, tier_of=core.settings.tier)
    assert await killed._next(alice.address.account_id) == 4
    now = utc_now()
    assert await kept_days(alice, now) == [90] * 4 + [7] * 6
    await core.inbox.delete(alice.actor, (await alice.messages())[7].id)
    two = [ExpiryRedating(core.database, tier_of=core.settings.tier) for _ in range(2)]
    assert sum(await asyncio.gather(*(each.work_off() for each in two))) == 5
    assert await kept_days(alice, now) == [90] * 9
    assert await kept_days(bob, now) == [7] * 10
    assert await core.redating.work_off() == 0


async def test_a_change_is_seen_at_once_in_its_process(core: Core, alice: Customer) -> None:
    account_id = alice.address.account_id
    assert (await core.tiers.of(account_id)).name == "free"
    await set_tier(alice, "paid")
    assert (await core.tiers.of(account_id)).name == "paid"


class _Follower:
    """What the door for mail knows, and when it learnt of each rate."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.learnt: list[tuple[int, float]] = []

    async def follow(self) -> None:
        cursor = 0
        while True:
            page = await self._core.recipients.changes(POLICY, cursor, wait_s=25)
            cursor = page.cursor
            at = asyncio.get_running_loop().time()
            self.learnt += [(each.per_hour, at) for each in page.recipients[:1]]


async def test_a_change_of_tier_in_a_storm_of_mail(core: Core, alice: Customer, bob: Customer) -> None:
    """Nothing is stored with the limits of before, the door knows within a second, the counts are exact."""
    changes: list[tuple[str, datetime, float]] = [("free", utc_now(), 0.0)]
    follower, outcomes, loop = _Follower(core), list[Sequence[object]](), asyncio.get_running_loop()

    async def storm(number: int) -> None:
        while len(changes) < 6 or loop.time() < changes[-1][2] + 0.1:
            mail = MAIL + b"x" * number
            recipients = [alice.recipient(), bob.recipient()][: 1 + number % 2]
            outcomes.append(await deliver(core, mail, *recipients, queue_id=f"{number}-{len(outcomes)}"))

    async def change() -> None:
        for tier in ("paid", "free", "paid", "free", "paid"):
            await asyncio.sleep(0.2)
            await set_tier(alice, tier)
            changes.append((tier, utc_now(), loop.time()))

    following = asyncio.create_task(follower.follow())
    await core.recipients.changes(POLICY, 0)
    async with core.redating.running(), asyncio.TaskGroup() as group:
        group.create_task(change())
        for number in range(6):
            group.create_task(storm(number))
    await asyncio.sleep(0.5)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)

    assert all(outcome is None for each in outcomes for outcome in each)
    await core.redating.work_off()
    async with core.database.read() as connection:
        for customer in (alice, bob):
            table, account_id = schema.messages, customer.address.account_id
            count, size, last = (
                await connection.execute(
                    select(func.count(), func.sum(table.c.size_bytes), func.max(table.c.seq)).where(
                        table.c.account_id == account_id
                    )
                )
            ).one()
            ledger = (await connection.execute(select(schema.accounts).where(schema.accounts.c.id == account_id))).one()
            assert (ledger.message_seq, ledger.storage_bytes) == (count, size) == (last, size)
        rows = (
            await connection.execute(
                select(schema.messages.c.received_at, schema.messages.c.expires_at).where(
                    schema.messages.c.account_id == alice.address.account_id
                )
            )
        ).all()
    assert len(rows) == len(outcomes)
    assert {row.expires_at - row.received_at for row in rows} == {PAID.retention_days * DAY}
    for tier, _, at in changes[1:]:
        per_hour = (PAID if tier == "paid" else FREE).received_per_hour
        assert min(abs(learnt - at) for known, learnt in follower.learnt if known == per_hour) < 1


async def test_mail_that_arrives_after_a_change_has_its_limits(core: Core, alice: Customer) -> None:
    """Without anybody who mends it later: what is stored is right when it is stored."""
    for tier, limits in (("paid", PAID), ("free", FREE), ("paid", PAID)):
        await set_tier(alice, tier)
        (message_id,) = await store(alice, 1, days_ago=0)
        message = next(each for each in await alice.messages() if each.id == message_id)
        assert message.expires_at - message.received_at == limits.retention_days * DAY
        await core.inbox.delete(alice.actor, message_id)
