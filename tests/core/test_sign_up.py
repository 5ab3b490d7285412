"""Registering over the network tells nobody who has an account."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select

from core.conftest import PASSWORD, Customer, settings_for
from mailkeep.bootstrap import Core, open_core
from mailkeep.domain.audit import Origin
from mailkeep.domain.scope import Actor, Scope
from mailkeep.errors import InvalidInput, NotAuthenticated, RateExceeded
from mailkeep.storage.schema import accounts, addresses, users
from mailkeep.storage.upgrade import upgrade_schema

IP = "192.0.2.1"
OTHER_PASSWORD = "a quiet river bends twice"


async def rows(core: Core) -> tuple[int, ...]:
    async with core.database.read() as connection:
        return tuple(
            [
                (await connection.execute(select(func.count()).select_from(table))).scalar_one()
                for table in (accounts, users, addresses)
            ]
        )


async def test_a_free_address_gets_an_account(core: Core) -> None:
    await core.accounts.sign_up(" Eve@Customer.Test", PASSWORD, origin=Origin(IP))
    assert (await core.accounts.authenticate("eve@customer.test", PASSWORD)).email == "eve@customer.test"
    assert await rows(core) == (1, 1, 1)
    changes = await core.recipients.changes(Actor(scopes=frozenset({Scope.POLICY})), 0)
    assert len(changes.recipients) == 1


async def test_of_a_taken_address_nothing_changes(core: Core, alice: Customer) -> None:
    policy = Actor(scopes=frozenset({Scope.POLICY}))
    before = await core.recipients.changes(policy, 0)
    await core.accounts.sign_up("alice@customer.test", OTHER_PASSWORD, origin=Origin(IP))
    assert await rows(core) == (1, 1, 1)
    assert await core.recipients.changes(policy, 0) == before
    with pytest.raises(NotAuthenticated):
        await core.accounts.authenticate("alice@customer.test", OTHER_PASSWORD)
    assert (await core.accounts.authenticate("alice@customer.test", PASSWORD)).account_id == alice.actor.account_id


async def test_free_and_taken_do_the_same_work(core: Core, alice: Customer) -> None:
    """The same statements, but for the end of the savepoint: the time of a hash and of these is all there is."""
    done: dict[str, list[str]] = {}
    for email in ("alice@customer.test", "eve@customer.test"):
        statements = done.setdefault(email, [])

        def note(*arguments: Any, statements: list[str] = statements) -> None:
            statements.append(" ".join(arguments[2].split()[:3]))

        event.listen(core.database.engine.sync_engine, "before_cursor_execute", note)
        await core.accounts.sign_up(email, PASSWORD, origin=Origin(IP))
        event.remove(core.database.engine.sync_engine, "before_cursor_execute", note)
    taken, free = ([text for text in statements if "SAVEPOINT" not in text] for statements in done.values())
    assert taken == free
    assert any("users" in statement for statement in free)
    assert alice.actor.account_id


async def test_one_address_asked_for_at_once_is_one_account(core: Core) -> None:
    await asyncio.gather(*(core.accounts.sign_up("eve@customer.test", PASSWORD, origin=Origin(IP)) for _ in range(4)))
    assert await rows(core) == (1, 1, 1)


async def test_what_will_not_do_is_said_for_free_and_taken_alike(core: Core, alice: Customer) -> None:
    for email in ("alice@customer.test", "eve@customer.test"):
        with pytest.raises(InvalidInput):
            await core.accounts.sign_up(email, "short", origin=Origin(IP))
    assert (await rows(core))[0] == 1
    assert alice.actor.account_id


async def test_a_client_registers_so_often_an_hour(tmp_path: Path, database_url: str) -> None:
    settings = settings_for(tmp_path, database_url, auth={"registrations_per_hour": 2})
    await upgrade_schema(settings)
    async with open_core(settings) as core:
        for email in ("a@customer.test", "a@customer.test"):
            await core.accounts.sign_up(email, PASSWORD, origin=Origin("2001:db8::1"))
        for email in ("a@customer.test", "b@customer.test"):  # another address of the same customer of a provider
            with pytest.raises(RateExceeded) as refused:
                await core.accounts.sign_up(email, PASSWORD, origin=Origin("2001:db8::2"))
            assert 0 < refused.value.retry_after_s <= 3600
        await core.accounts.sign_up("b@customer.test", PASSWORD, origin=Origin("2001:db8:0:1::1"))
        assert await rows(core) == (2, 2, 2)
