"""What the account uses, over the API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from api.world import Customer, World, open_world, settings_in
from mailkeep.storage.schema import accounts

LIMITS = {"addresses": 4, "received_per_hour": 5, "storage_mb": 1}
MEGABYTE = 2**20
MAIL = b"From: a@example.org\r\nSubject: hello\r\n\r\nHello.\r\n"


@pytest.fixture
async def world(tmp_path: Path, database_url: str) -> AsyncIterator[World]:
    settings = settings_in(tmp_path, database={"url": database_url}, tiers={"free": LIMITS})
    async with open_world(settings) as opened:
        yield opened


async def test_usage(world: World, ada: Customer) -> None:
    for _ in range(2):
        await world.deliver(MAIL, ada)
    answer = await world.ask("GET", "/api/v1/usage?days=3", ada)
    assert answer.status == 200, answer
    found, today = answer.json, datetime.now(UTC).date()
    assert found["tier"] == "free"
    assert found["limits"] == {
        "addresses": 4,
        "storage_bytes": MEGABYTE,
        "received_per_address_per_hour": 5,
        "api_requests_per_minute": 1_000_000,
        "retention_days": 7,
    }
    assert found["used"] == {"addresses": 1, "storage_bytes": 2 * len(MAIL)}
    assert found["share"] == {"addresses": 0.25, "storage": round(2 * len(MAIL) / MEGABYTE, 4)}
    assert found["notices"] == []
    assert found["rates"] == [{"address_id": ada.address_id, "address": ada.address, "received_last_hour": 2}]
    assert [day["day"] for day in found["days"]] == [str(today - timedelta(days=ago)) for ago in (2, 1, 0)]
    assert found["days"][-1] == {"day": str(today), "messages": 2, "bytes": 2 * len(MAIL), "refusals": 0}
    assert len((await world.ask("GET", "/api/v1/usage", ada)).json["days"]) == 30
    for days in ("0", "367", "x"):
        (await world.ask("GET", f"/api/v1/usage?days={days}", ada)).is_problem(422, "invalid-input")


async def test_notices(world: World, ada: Customer) -> None:
    for used, level in ((0.79, None), (0.8, "near"), (1.0, "reached"), (1.5, "reached")):
        async with world.core.database.write() as connection:
            await connection.execute(update(accounts).values(storage_bytes=round(used * MEGABYTE) + 1))
        found = (await world.ask("GET", "/api/v1/usage", ada)).json
        assert [notice["level"] for notice in found["notices"]] == ([level] if level else [])
        assert all(notice["limit"] == "storage" and notice["share"] >= 0.8 for notice in found["notices"])
