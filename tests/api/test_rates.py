"""Requests a minute: by account as its tier says, by client address for whoever is nobody, by all processes at once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from api.world import Answer, Customer, World, fresh_core, open_world, settings_in, world_of
from mailkeep.domain.audit import AuditQuery
from mailkeep.domain.client import network_of
from mailkeep_api.app import create_app
from mailkeep_api.rates.window import SlidingMinute
from services.redis import Redis

ACCOUNT = "/api/v1/account"
ADDRESSES = "/api/v1/addresses"
STANDING = re.compile(r'"(?P<policy>\w+)";r=(?P<remaining>\d+);t=(?P<reset>\d+)')


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def remaining(answer: Answer) -> int:
    found = STANDING.fullmatch(answer.headers["RateLimit"])
    assert found is not None, answer
    assert 1 <= int(found["reset"]) <= 120
    return int(found["remaining"])


def limited(directory: Path, *, account: int = 1_000_000, client: int = 1_000_000, **sections: Any) -> Any:
    return settings_in(
        directory,
        tiers={"free": {"addresses": 20_000, "api_requests_per_minute": account}},
        http={"public_requests_per_minute": client},
        **sections,
    )


async def is_refused(world: World, caller: Customer | None, path: str = ACCOUNT) -> bool:
    return (await world.ask("GET", path, caller)).status == 429


def test_the_minute_slides() -> None:
    clock = Clock()
    minute = SlidingMinute(clock)
    assert [minute.hit("a", 4).remaining for _ in range(4)] == [3, 2, 1, 0]
    assert minute.hit("b", 4).admitted
    refused = minute.hit("a", 4)
    assert (refused.admitted, refused.remaining, refused.reset_s) == (False, 0, 75)
    clock.now += 60  # a new minute: all four are still within the last sixty seconds
    refused = minute.hit("a", 4)
    assert (refused.admitted, refused.remaining, refused.reset_s) == (False, 0, 15)
    clock.now += refused.reset_s
    assert [minute.hit("a", 4).admitted for _ in range(2)] == [True, False]
    clock.now += 1_000_000
    assert minute.hit("a", 4).remaining == 3


def test_what_is_over_is_forgotten() -> None:
    clock = Clock()
    minute = SlidingMinute(clock)
    for number in range(1000):
        minute.hit(str(number), 4)
    clock.now += 120
    minute.hit("a", 4)
    assert (len(minute._current), len(minute._previous)) == (1, 0)


@pytest.mark.parametrize(
    ("client", "counted_as"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("", "local"),
    ],
)
def test_who_is_one_client(client: str, counted_as: str) -> None:
    assert network_of(client) == counted_as


async def test_an_account_has_what_its_tier_says(tmp_path: Path) -> None:
    async with open_world(limited(tmp_path, account=5)) as world:
        ada, bob = await world.register("ada@example.org"), await world.register("bob@example.org")
        answers = [await world.ask("GET", path, ada) for path in (ACCOUNT, "/api/v1/messages", ADDRESSES)]
        assert [remaining(answer) for answer in answers] == [4, 3, 2]
        assert answers[0].headers["RateLimit-Policy"] == '"account";q=5;w=60'
        # Problems count as well, and say where the caller stands.
        assert remaining(await world.ask("GET", f"{ADDRESSES}/nothing", ada)) == 1
        assert remaining(await world.ask("PATCH", f"{ADDRESSES}/{ada.address_id}", ada, json={"label": 1})) == 0

        refused = await world.ask("GET", ACCOUNT, ada)
        assert refused.is_problem(429, "rate-exceeded")
        assert remaining(refused) == 0
        assert 1 <= int(refused.headers["Retry-After"]) <= 120
        assert (await world.ask("GET", ACCOUNT, bob)).status == 200


async def test_whoever_is_nobody_is_counted_by_address(tmp_path: Path) -> None:
    async with open_world(limited(tmp_path, client=4)) as world:
        ada = await world.register("ada@example.org")
        wrong = await world.ask("GET", ACCOUNT, "mk_0000000000000000_" + "x" * 43)
        assert wrong.is_problem(401, "not-authenticated")
        assert wrong.headers["RateLimit-Policy"] == '"client";q=4;w=60'
        assert remaining(wrong) == 2
        for _ in range(2):
            await world.ask("GET", "/api/v1/openapi.json")
        assert await is_refused(world, None)
        assert await is_refused(world, None, "/api/v1/openapi.json")
        assert (await world.ask("GET", ACCOUNT, ada)).status == 200


async def test_what_is_not_counted(tmp_path: Path) -> None:
    async with open_world(limited(tmp_path, client=1)) as world:
        for _ in range(3):
            for path in ("/healthz", "/readyz", "/api/internal/recipients", "/nowhere"):
                answer = await world.ask("GET", path)
                assert answer.status != 429
                assert "RateLimit" not in answer.headers


async def test_each_proxied_client_has_its_own(tmp_path: Path) -> None:
    settings = limited(tmp_path, client=1, auth={"trusted_proxies": ["127.0.0.0/8"]})
    async with open_world(settings) as world:
        statuses = [
            (await world.ask("GET", "/api/v1/openapi.json", headers={"X-Forwarded-For": client})).status
            for client in ("192.0.2.1", "192.0.2.2", "192.0.2.1", "2001:db8::1", "2001:db8::2")
        ]
    assert statuses == [200, 200, 429, 200, 429]


async def test_attack_095_a_client_cannot_name_another_address(tmp_path: Path) -> None:
    async with open_world(limited(tmp_path, client=1)) as world:
        statuses = [
            (await world.ask("GET", "/api/v1/openapi.json", headers={"X-Forwarded-For": f"192.0.2.{number}"})).status
            for number in range(3)
        ]
    assert statuses == [200, 429, 429]


async def test_attack_102_addresses_by_the_thousand(tmp_path: Path, full_size: bool) -> None:
    tries = 10_000 if full_size else 500
    async with open_world(limited(tmp_path, account=60)) as world:
        ada = await world.register("ada@example.org")
        statuses = [(await world.ask("POST", ADDRESSES, ada, json={})).status for _ in range(tries)]
        made, _ = await world.core.addresses.list(await world.core.sessions.actor(ada.token), limit=tries)
    assert set(statuses) == {201, 429}
    assert statuses[:60] == [201] * 60
    # A minute's worth, and what came free while the others were tried.
    assert statuses.count(201) + 1 == len(made)
    assert statuses[60:160] == [429] * 100


async def test_who_is_refused_does_not_fill_the_audit_log(tmp_path: Path) -> None:
    async with open_world(limited(tmp_path, account=2)) as world:
        ada = await world.register("ada@example.org")
        statuses = [(await world.ask("GET", ACCOUNT, ada)).status for _ in range(30)]
        await world.core.trail.flush()
        actor = await world.core.sessions.actor(ada.token)
        records, _ = await world.core.audit.list(actor, AuditQuery(limit=100))
    assert statuses == [200] * 2 + [429] * 28
    assert [record.outcome for record in records].count("rate-exceeded") == 1


async def test_all_processes_count_together(tmp_path: Path, redis_server: Redis) -> None:
    settings = limited(tmp_path, account=3, rates={"storage_url": redis_server.url, "timeout_s": 5})
    async with (
        fresh_core(settings) as core,
        world_of(core, create_app(core, settings)) as one,
        world_of(core, create_app(core, settings)) as other,
    ):
        ada = await one.register("ada@example.org")
        standings = [remaining(await world.ask("GET", ACCOUNT, ada)) for world in (one, other, one)]
        assert standings == [2, 1, 0]
        assert await is_refused(one, ada)
        assert await is_refused(other, ada)


async def test_without_redis_each_counts_for_itself(tmp_path: Path, redis_server: Redis) -> None:
    settings = limited(tmp_path, account=2, rates={"storage_url": redis_server.url, "timeout_s": 5})
    async with (
        fresh_core(settings) as core,
        world_of(core, create_app(core, settings)) as one,
        world_of(core, create_app(core, settings)) as other,
    ):
        ada = await one.register("ada@example.org")
        redis_server.daemon.kill()
        for world in (one, other):
            assert [await is_refused(world, ada) for _ in range(3)] == [False, False, True]
