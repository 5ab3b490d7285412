"""What is counted of a customer is what there is, at every step."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import func, select, update

from core.conftest import PASSWORD, POLICY, Customer, deliver, new_customer
from mailkeep.bootstrap import Core
from mailkeep.domain.message import MessageQuery, MessageSummary
from mailkeep.domain.refusal import Refusal
from mailkeep.domain.usage import storage_notices
from mailkeep.services.storage_recount import Drift
from mailkeep.storage import account_rows, schema

STEPS: Final = 40
STEPS_IN_FULL: Final = 1_000


async def drifts(core: Core, *, mend: bool = False) -> list[Drift]:
    return [drift async for _, found in core.recount.recount(mend=mend) for drift in found]


async def stored(core: Core) -> dict[str, tuple[int, int]]:
    """account id → messages and bytes that are in the table."""
    query = select(schema.messages.c.account_id, func.count(), func.sum(schema.messages.c.size_bytes)).group_by(
        schema.messages.c.account_id
    )
    async with core.database.read() as connection:
        return {account_id: (count, int(size)) for account_id, count, size in await connection.execute(query)}


@dataclass(slots=True)
class House:
    """Customers to whom things happen, and what was received for them."""

    core: Core
    rng: random.Random
    customers: list[Customer] = field(default_factory=list)
    received: dict[str, tuple[int, int]] = field(default_factory=dict)

    async def arrive(self) -> str:
        self.customers.append(await new_customer(self.core, f"c{self.rng.random()}@customer.test"))
        return "arrive"

    async def receive(self) -> str:
        """One mail to some of them; sometimes twice, as when its reply was lost."""
        number = self.rng.random()
        content = f"Subject: kind{self.rng.randrange(3)} {number}\r\n\r\n".encode() + b"x" * self.rng.randrange(5_000)
        to = self.rng.sample(self.customers, self.rng.randint(1, len(self.customers)))
        for _ in range(self.rng.choice((1, 1, 2))):
            await deliver(self.core, content, *(each.recipient() for each in to), queue_id=f"{number}")
        for each in to:
            self._received(each, len(content))
        return f"receive for {len(to)}"

    async def delete_one(self) -> str:
        customer, mail = await self._somebody()
        for message in mail[:1]:
            await self.core.inbox.delete(customer.actor, message.id)
        return "delete one"

    async def delete_many(self) -> str:
        customer, _ = await self._somebody()
        search = self.core.inbox.understand(f"subject:kind{self.rng.randrange(3)}")
        return f"delete {await self.core.bulk.delete_found(customer.actor, MessageQuery(search=search))}"

    async def delete_address(self) -> str:
        customer, _ = await self._somebody()
        extra = await self.core.addresses.create(customer.actor)
        await deliver(self.core, b"Subject: kind0\r\n\r\n", replace(customer, address=extra).recipient())
        self._received(customer, len(b"Subject: kind0\r\n\r\n"))
        await self.core.addresses.delete(customer.actor, extra.id)
        return "delete address"

    async def delete_account(self) -> str:
        if len(self.customers) < 3:
            return "nobody leaves"
        customer = self.customers.pop(self.rng.randrange(len(self.customers)))
        await self.core.deletion.delete_own(customer.actor, PASSWORD)
        await self.core.purge.work_off()
        self.received.pop(customer.address.account_id, None)
        return "delete account"

    def _received(self, customer: Customer, size_bytes: int) -> None:
        messages, received_bytes = self.received.get(customer.address.account_id, (0, 0))
        self.received[customer.address.account_id] = messages + 1, received_bytes + size_bytes

    async def _somebody(self) -> tuple[Customer, Sequence[MessageSummary]]:
        customer = self.rng.choice(self.customers)
        return customer, await customer.messages()


async def test_the_number_is_the_recount_at_every_step(core: Core, *, full_size: bool) -> None:
    seed = random.randrange(2**32)  # noqa: S311  chance that can be had again
    house = House(core, random.Random(seed))  # noqa: S311  chance that can be had again
    await house.arrive()
    await house.arrive()
    deeds = [house.receive] * 6 + [house.delete_one, house.delete_many, house.delete_address, house.delete_account]
    for step in range(STEPS_IN_FULL if full_size else STEPS):
        deed = await (house.arrive if len(house.customers) < 2 else house.rng.choice(deeds))()
        assert await drifts(core) == [], f"seed {seed}, step {step}: {deed}"
        there = await stored(core)
        for each in house.customers:
            account = await core.accounts.get(each.actor)
            assert account.storage_bytes == there.get(account.id, (0, 0))[1], f"seed {seed}, step {step}: {deed}"
    for each in house.customers:
        usage = await core.usage.of(each.actor, days=2)
        assert usage.account.storage_bytes == there.get(usage.account.id, (0, 0))[1]
        received = sum(day.messages for day in usage.days), sum(day.bytes for day in usage.days)
        assert received == house.received.get(usage.account.id, (0, 0)), f"seed {seed}"


async def test_drift_is_named_and_mended(core: Core, alice: Customer, bob: Customer) -> None:
    mail = b"Subject: hello\r\n\r\nhello\r\n"
    await deliver(core, mail, alice.recipient(), bob.recipient())
    async with core.database.write() as connection:
        mine = schema.accounts.c.id == alice.address.account_id
        await connection.execute(update(schema.accounts).where(mine).values(storage_bytes=7_000))
    expected = [Drift(alice.address.account_id, 7_000, len(mail))]
    assert await drifts(core) == expected
    assert await drifts(core, mend=True) == expected
    assert await drifts(core) == []
    assert (await core.accounts.get(alice.actor)).storage_bytes == len(mail)


async def test_mending_tells_the_door(core: Core, alice: Customer) -> None:
    quota = core.settings.tier("free").storage_bytes
    async with core.database.write() as connection:
        mine = schema.accounts.c.id == alice.address.account_id
        await connection.execute(update(schema.accounts).where(mine).values(storage_bytes=quota))
    before = await core.recipients.changes(POLICY, 0)
    assert [recipient.over_quota for recipient in before.recipients] == [True]
    await drifts(core, mend=True)
    changed = await core.recipients.changes(POLICY, before.cursor)
    assert [recipient.over_quota for recipient in changed.recipients] == [False]


async def test_refusals_count_on_their_day(core: Core, alice: Customer) -> None:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=1)
    yesterday = today - timedelta(days=1)
    batch = [refusal(alice, yesterday, 3), refusal(alice, today, 2), refusal(alice, today + timedelta(seconds=1), 4)]
    await core.refusals.record(POLICY, batch)
    await core.refusals.record(POLICY, [refusal(alice, yesterday, 5)])
    usage = await core.usage.of(alice.actor, days=3)
    assert [day.refusals for day in usage.days] == [0, 8, 6]
    assert [day.day for day in usage.days] == [(today - timedelta(days=ago)).date() for ago in (2, 1, 0)]


def refusal(customer: Customer, moment: datetime, count: int) -> Refusal:
    return Refusal(
        address_id=customer.address.id,
        code=452,
        status="4.2.2",
        reason="mailbox full",
        mail_from="sender@elsewhere.test",
        rcpt_to=customer.address.address,
        client_ip="192.0.2.1",
        client_name="mx.elsewhere.test",
        first_at=moment,
        last_at=moment,
        count=count,
    )


async def test_notices_at_80_and_100_percent(core: Core, alice: Customer) -> None:
    tier = core.settings.tier("free")
    for percent, level in ((79, None), (80, "near"), (99, "near"), (100, "reached"), (120, "reached")):
        async with core.database.write() as connection:
            used_bytes = -(-tier.storage_bytes * percent // 100)
            await connection.execute(update(schema.accounts).values(storage_bytes=used_bytes))
        usage = await core.usage.of(alice.actor)
        assert [notice.level.value for notice in usage.notices] == ([level] if level else [])
        assert usage.notices == await core.usage.notices(alice.actor) == storage_notices(usage.account, tier)
    assert usage.addresses == 1
    assert [rate.received_last_hour for rate in usage.rates] == [0]


async def test_usage_goes_with_the_account(core: Core, alice: Customer) -> None:
    await deliver(core, b"Subject: x\r\n\r\n", alice.recipient())
    await core.deletion.delete_own(alice.actor, PASSWORD)
    await core.purge.work_off()
    async with core.database.read() as connection:
        assert await account_rows.count(connection, schema.usage_daily, alice.address.account_id) == 0
