"""Idempotency-Key: sent twice, done once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from multidict import CIMultiDict
from sqlalchemy import func, select, update

from api.world import Answer, Customer, World, fresh_core, open_world, settings_in, world_of
from mailkeep.domain.audit import Origin
from mailkeep.domain.clock import utc_now
from mailkeep.domain.idempotency import UNDER_WAY
from mailkeep.domain.scope import Actor, Scope
from mailkeep.errors import DatabaseUnavailable
from mailkeep.services import idempotency
from mailkeep.services.addresses import Addresses
from mailkeep.storage.schema import addresses, idempotency_keys
from mailkeep_api.app import create_app
from mailkeep_api.dispatch import handler_of
from mailkeep_api.routing import Call, Routes
from mailkeep_api.schemas.addresses import AddressIn, AddressOut

PATH = "/api/v1/addresses"
KEY = '"8e03978e-40d5-43dd-bc93-6894a57f9324"'


@pytest.fixture
async def world(tmp_path: Path, database_url: str) -> AsyncIterator[World]:
    settings = settings_in(tmp_path, database={"url": database_url}, tiers={"free": {"addresses": 100}})
    async with open_world(settings) as opened:
        yield opened


async def create(world: World, caller: Customer, key: str = KEY, path: str = PATH, **body: Any) -> Answer:
    return await world.ask("POST", path, caller, json=body, headers={"Idempotency-Key": key})


async def actor_of(world: World, customer: Customer, **changes: Any) -> Actor:
    return replace(await world.core.sessions.actor(customer.token), **changes)


async def how_many(world: World, customer: Customer) -> int:
    """Addresses, without the first one."""
    page, _ = await world.core.addresses.list(await actor_of(world, customer), limit=200)
    return len(page) - 1


async def rows(world: World) -> int:
    async with world.core.database.read() as connection:
        return int((await connection.execute(select(func.count()).select_from(idempotency_keys))).scalar_one())


async def test_the_answer_is_given_again(world: World, ada: Customer, bob: Customer) -> None:
    first = await create(world, ada, label="a")
    again = [await create(world, ada, key, label="a") for key in (KEY, KEY.strip('"'))]
    assert first.status == 201
    assert "Idempotency-Replayed" not in first.headers
    for answer in again:
        assert (answer.status, answer.body) == (201, first.body)
        assert answer.headers["Location"] == first.headers["Location"]
        assert answer.headers["Content-Type"] == first.headers["Content-Type"]
        assert answer.headers["Idempotency-Replayed"] == "true"
        assert answer.headers["X-Request-Id"] != first.headers["X-Request-Id"]
    # Keys are an account's own, and without one each request is done.
    assert (await create(world, bob, label="a")).json["id"] != first.json["id"]
    assert (await world.ask("POST", PATH, ada, json={"label": "a"})).json["id"] != first.json["id"]
    assert (await how_many(world, ada), await how_many(world, bob)) == (2, 1)


async def test_a_key_is_for_one_request(world: World, ada: Customer) -> None:
    first = await create(world, ada, label="a")
    assert (await create(world, ada, label="b")).is_problem(422, "idempotency-key-reused")
    assert (await create(world, ada, path=f"{PATH}?x=1", label="a")).is_problem(422, "invalid-input")
    # The same request, written otherwise.
    same = b'{ "label":"\\u0061" }'
    headers = {"Idempotency-Key": KEY, "Content-Type": "application/json"}
    assert (await world.ask("POST", PATH, ada, data=same, headers=headers)).body == first.body
    assert await how_many(world, ada) == 1


@pytest.mark.parametrize("key", ["", '""', "a b", "ä", "x" * 256, '"a', 'a"b', '"a\\"b"', "a,b", "\t"])
@pytest.mark.asyncio(loop_scope="module")
async def test_what_is_no_key(still_world: World, still_ada: Customer, key: str) -> None:
    answer = await still_world.ask("POST", PATH, still_ada, json={}, headers={"Idempotency-Key": key})
    assert answer.is_problem(400, "idempotency-key-invalid")


async def test_two_keys_are_none(world: World, ada: Customer) -> None:
    answer = await world.ask(
        "POST", PATH, ada, json={}, headers=CIMultiDict([("Idempotency-Key", "a"), ("Idempotency-Key", "b")])
    )
    assert answer.is_problem(400, "idempotency-key-invalid")


async def test_at_once_it_is_done_once(world: World, ada: Customer) -> None:
    answers = await asyncio.gather(*(create(world, ada, label="a") for _ in range(8)))
    done = [answer for answer in answers if answer.status == 201]
    assert done
    assert {answer.body for answer in done} == {done[0].body}
    for answer in answers:
        if answer not in done:
            assert answer.is_problem(409, "under-way")
            assert answer.headers["Retry-After"] == "1"
    assert await how_many(world, ada) == 1


async def test_what_failed_can_be_tried_again(world: World, ada: Customer, bob: Customer) -> None:
    taken = await create(world, ada, address=bob.address)
    assert taken.is_problem(409, "conflict")
    assert (await create(world, ada, local_part="not so")).is_problem(422, "invalid-input")
    assert await rows(world) == 0
    assert (await create(world, ada, local_part="but-so")).status == 201


async def test_a_database_that_went_away_leaves_no_key(
    world: World, ada: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any, **__: Any) -> Any:
        raise DatabaseUnavailable("gone")

    with monkeypatch.context() as patch:
        patch.setattr(Addresses, "create", away)
        assert (await create(world, ada)).is_problem(503, "unavailable")
    assert (await create(world, ada)).status == 201


async def test_an_end_after_the_deed_does_it_no_second_time(world: World, ada: Customer) -> None:
    """As after a kill between the commit and the keeping of the answer."""
    probe = await create(world, ada, "probe", label="a")
    async with world.core.database.read() as connection:
        fingerprint = (await connection.execute(select(idempotency_keys.c.fingerprint))).scalar_one()
    key = "0" * 64
    assert await world.core.idempotency.claim(ada.account_id, key, fingerprint=fingerprint) is None
    actor = await actor_of(world, ada, origin=Origin(request_id="1", claim=key))
    await world.core.addresses.create(actor, label="a")
    await world.core.idempotency.release(ada.account_id, key)
    found = await world.core.idempotency.claim(ada.account_id, key, fingerprint=fingerprint)
    assert found is not None
    assert found.is_done
    assert found.answer is None
    assert probe.status == 201


async def test_an_end_before_the_deed_lets_it_be_done(world: World, ada: Customer) -> None:
    await create(world, ada, label="a")
    long_ago = utc_now() - UNDER_WAY - timedelta(seconds=1)
    async with world.core.database.write() as connection:
        await connection.execute(
            update(idempotency_keys).values(is_done=False, status=None, body=None, claimed_at=long_ago)
        )
    again = await create(world, ada, label="a")
    assert again.status == 201
    assert "Idempotency-Replayed" not in again.headers


async def test_a_key_is_kept_for_a_day(world: World, ada: Customer) -> None:
    await create(world, ada, label="a")
    async with world.core.database.write() as connection:
        kept = (await connection.execute(select(idempotency_keys.c.expires_at))).scalar_one()
        assert timedelta(hours=23, minutes=59) < kept - utc_now() <= timedelta(hours=24)
        await connection.execute(update(idempotency_keys).values(expires_at=utc_now()))
    assert (await create(world, ada, label="b")).status == 201
    async with world.core.database.write() as connection:
        await connection.execute(update(idempotency_keys).values(expires_at=utc_now()))
    assert await world.core.idempotency.remove_expired() == 1
    assert await rows(world) == 0


async def test_keys_are_bounded(world: World, ada: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "MAX_KEYS", 3)
    made = [await create(world, ada, f"key-{number}") for number in range(5)]
    assert await rows(world) == 3
    assert (await create(world, ada, "key-4")).body == made[4].body
    assert (await create(world, ada, "key-0")).body != made[0].body


async def test_what_is_shown_once_is_not_kept(tmp_path: Path) -> None:
    routes = Routes("/api/v1/secrets", tag="secrets")

    @routes.post(
        "",
        scope=Scope.ADDRESSES_WRITE,
        audit="secret.create",
        body=AddressIn,
        returns=AddressOut,
        idempotent=True,
        secret=True,
    )
    async def create_secret(call: Call, body: AddressIn) -> AddressOut:
        return AddressOut.of(await call.core.addresses.create(call.actor, label=body.label))

    settings = settings_in(tmp_path)
    async with fresh_core(settings) as core:
        app = create_app(core, settings)
        (route,) = routes
        app.router.add_post(route.path, handler_of(route))
        async with world_of(core, app) as world:
            ada = await world.register("ada@example.org")
            first = await create(world, ada, path=route.path, label="hunter2")
            assert first.status == 200
            assert (await create(world, ada, path=route.path, label="hunter2")).is_problem(409, "done-already")
            async with core.database.read() as connection:
                assert (await connection.execute(select(idempotency_keys.c.body))).scalar_one() is None
                count = select(func.count()).select_from(addresses).where(addresses.c.label == "hunter2")
                assert (await connection.execute(count)).scalar_one() == 1
