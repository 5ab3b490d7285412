"""Why mail does not arrive."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from api.world import POLICY, Customer, World, open_world, settings_in
from mailkeep.domain.clock import utc_now
from mailkeep.domain.refusal import Refusal
from mailkeep.storage.schema import accounts, messages

LIMITS = {"received_per_hour": 3, "storage_mb": 1}
MEGABYTE = 2**20


@pytest.fixture
async def world(tmp_path: Path, database_url: str) -> AsyncIterator[World]:
    settings = settings_in(tmp_path, database={"url": database_url}, tiers={"free": LIMITS})
    async with open_world(settings) as opened:
        yield opened


async def diagnose(world: World, ada: Customer) -> Any:
    answer = await world.ask("GET", f"/api/v1/addresses/{ada.address_id}/diagnosis", ada)
    assert answer.status == 200, answer
    found = answer.json
    assert found["can_receive"] is not bool(found["reasons"])
    assert all(reason["text"] and reason["what_to_do"] for reason in found["reasons"])
    return found


def reasons(found: Any) -> list[str]:
    return [reason["code"] for reason in found["reasons"]]


def mail(number: int) -> bytes:
    return f"From: a@example.org\r\nSubject: {number}\r\n\r\nHello.\r\n".encode()


async def test_an_address_that_can_receive(world: World, ada: Customer) -> None:
    found = await diagnose(world, ada)
    assert (found["can_receive"], found["reasons"], found["address"]) == (True, [], ada.address)
    assert (found["last_message_at"], found["refusals_last_24_hours"]) == (None, [])
    assert found["checks"]["account"] == {"ok": True, "status": "active"}
    assert found["checks"]["address"] == {"ok": True, "status": "active"}
    assert found["checks"]["storage"] == {"ok": True, "used_bytes": 0, "limit_bytes": MEGABYTE}
    assert found["checks"]["rate"] == {"ok": True, "received_last_hour": 0, "limit_per_hour": 3}


async def test_switched_off_and_suspended(world: World, ada: Customer) -> None:
    await world.ask("PATCH", f"/api/v1/addresses/{ada.address_id}", ada, json={"active": False})
    assert reasons(await diagnose(world, ada)) == ["address_inactive"]
    async with world.core.database.write() as connection:
        await connection.execute(update(accounts).values(storage_bytes=MEGABYTE))
    found = await diagnose(world, ada)
    assert reasons(found) == ["address_inactive", "storage_full"]
    assert found["checks"]["storage"] == {"ok": False, "used_bytes": MEGABYTE, "limit_bytes": MEGABYTE}


async def test_a_suspended_account(world: World, ada: Customer) -> None:
    """Its owner is let in nowhere, so the service itself is asked."""
    actor = await world.core.sessions.actor(ada.token)
    async with world.core.database.write() as connection:
        await connection.execute(update(accounts).values(status="suspended"))
    found = await world.core.diagnosing.diagnose(actor, ada.address_id)
    assert [obstacle.value for obstacle in found.obstacles] == ["account_suspended"]


async def test_the_hour_is_full(world: World, ada: Customer) -> None:
    for number in range(3):
        assert reasons(await diagnose(world, ada)) == []
        await world.deliver(mail(number), ada)
    found = await diagnose(world, ada)
    assert reasons(found) == ["rate_reached"]
    assert found["checks"]["rate"] == {"ok": False, "received_last_hour": 3, "limit_per_hour": 3}
    assert found["last_message_at"] is not None
    async with world.core.database.write() as connection:
        await connection.execute(update(messages).values(received_at=utc_now() - timedelta(minutes=61)))
    found = await diagnose(world, ada)
    assert (found["checks"]["rate"]["received_last_hour"], found["can_receive"]) == (0, True)
    assert found["last_message_at"] is not None


async def test_refusals_by_kind(world: World, ada: Customer, bob: Customer) -> None:
    now = utc_now()

    def refusal(customer: Customer, code: int, reason: str, hours: float, count: int = 1) -> Refusal:
        at = now - timedelta(hours=hours)
        return Refusal(
            customer.address_id, code, f"{code // 100}.2.1", reason, "a@b.test", customer.address, "", "", at, at, count
        )

    batches = [
        [refusal(ada, 550, "too old", 30), refusal(ada, 450, "too much", 3, 2), refusal(bob, 550, "another's", 1)],
        [refusal(ada, 550, "first", 2, 5)],
        [refusal(ada, 550, "latest", 1)],
    ]
    for batch in batches:
        await world.core.refusals.record(POLICY, batch)
    found = await diagnose(world, ada)
    told = [(kind["code"], kind["status"], kind["reason"], kind["count"]) for kind in found["refusals_last_24_hours"]]
    assert told == [(550, "5.2.1", "latest", 6), (450, "4.2.1", "too much", 2)]
    assert found["can_receive"]


async def test_the_receiver_asks(world: World, ada: Customer) -> None:
    assert (await diagnose(world, ada))["checks"]["recipients_feed"] == {"seconds_since_asked": None}
    await world.core.recipients.changes(POLICY, 0)
    seconds = (await diagnose(world, ada))["checks"]["recipients_feed"]["seconds_since_asked"]
    assert 0 <= seconds < 60


async def test_another_customers_address_is_not_there(world: World, ada: Customer, bob: Customer) -> None:
    answer = await world.ask("GET", f"/api/v1/addresses/{ada.address_id}/diagnosis", bob)
    assert answer.is_problem(404, "not-found")
