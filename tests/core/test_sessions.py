"""Log-ins: where they are listed, and everything that ends them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from core.conftest import PASSWORD, Customer, new_customer, settings_for
from core.test_lockout import Clock
from mailkeep.bootstrap import Core, open_core
from mailkeep.domain.account import AccountStatus
from mailkeep.domain.audit import Origin
from mailkeep.domain.scope import Actor, Scope
from mailkeep.errors import InvalidInput, NotAllowed, NotAuthenticated, NotFound, RateExceeded
from mailkeep.services import last_use
from mailkeep.storage.schema import accounts
from mailkeep.storage.upgrade import upgrade_schema

NEW_PASSWORD = "a quiet river bends twice"


async def log_in(core: Core, client_ip: str = "", user_agent: str = "") -> tuple[str, Actor]:
    user = await core.accounts.authenticate("alice@customer.test", PASSWORD)
    session = await core.sessions.open(user, origin=Origin(client_ip, user_agent))
    return session.token, await core.sessions.actor(session.token)


async def is_in(core: Core, token: str) -> bool:
    try:
        await core.sessions.actor(token)
    except NotAuthenticated:
        return False
    return True


async def test_sessions_are_listed_newest_first_page_by_page(core: Core, alice: Customer, bob: Customer) -> None:
    _, actor = await log_in(core, client_ip="192.0.2.7", user_agent="curl/8" * 100)
    await log_in(core)
    first, before = await core.sessions.list(actor, limit=2)
    rest, none = await core.sessions.list(actor, limit=2, before=before)
    assert none is None
    assert [info.id for info in first + rest] == sorted([info.id for info in first + rest], reverse=True)
    assert {alice.actor.session_id, actor.session_id} < {info.id for info in first + rest}
    mine = next(info for info in first if info.id == actor.session_id)
    assert (mine.client_ip, mine.user_agent) == ("192.0.2.7", ("curl/8" * 100)[:255])
    assert mine.created_at < mine.expires_at
    assert bob.actor.session_id not in {info.id for info in first + rest}


async def test_one_ends_and_the_others_go_on(core: Core, alice: Customer, bob: Customer) -> None:
    token, actor = await log_in(core)
    other_token, other = await log_in(core)
    assert other.session_id is not None
    with pytest.raises(NotFound):
        await core.sessions.end(bob.actor, other.session_id)
    assert await is_in(core, other_token)
    await core.sessions.end(actor, other.session_id)
    assert not await is_in(core, other_token)
    assert await is_in(core, token)
    with pytest.raises(NotFound):
        await core.sessions.end(actor, other.session_id)
    assert alice.actor.session_id in {info.id for info in (await core.sessions.list(actor))[0]}


async def test_all_others_end_or_all(core: Core, alice: Customer, bob: Customer) -> None:
    token, actor = await log_in(core)
    other_token, _ = await log_in(core)
    assert await core.sessions.end_all(actor, own_too=False) == 2
    assert (await is_in(core, token), await is_in(core, other_token)) == (True, False)
    assert await core.sessions.end_all(actor, own_too=True) == 1
    assert not await is_in(core, token)
    assert len((await core.sessions.list(bob.actor))[0]) == 1
    assert alice.actor.session_id


async def test_attack_089_a_new_password_ends_the_other_sessions(core: Core, alice: Customer) -> None:
    token, actor = await log_in(core)
    other_token, _ = await log_in(core)
    await core.accounts.change_password(actor, PASSWORD, NEW_PASSWORD)
    assert (await is_in(core, token), await is_in(core, other_token)) == (True, False)
    with pytest.raises(NotAuthenticated):
        await core.accounts.authenticate("alice@customer.test", PASSWORD)
    assert (await core.accounts.authenticate("alice@customer.test", NEW_PASSWORD)).id == alice.actor.user_id


async def test_a_wrong_current_password_counts_as_a_failed_log_in(core: Core, alice: Customer) -> None:
    for _ in range(5):
        with pytest.raises(InvalidInput) as caught:
            await core.accounts.change_password(alice.actor, "not the password", NEW_PASSWORD)
        assert caught.value.field == "current"
    with pytest.raises(RateExceeded):
        await core.accounts.change_password(alice.actor, PASSWORD, NEW_PASSWORD)
    with pytest.raises(RateExceeded):
        await core.accounts.authenticate("alice@customer.test", PASSWORD)


async def test_a_new_password_must_do(core: Core, alice: Customer) -> None:
    for password in ("short", "password1234", "x" * 1025):
        with pytest.raises(InvalidInput) as caught:
            await core.accounts.change_password(alice.actor, PASSWORD, password)
        assert caught.value.field == "new"
    await core.accounts.authenticate("alice@customer.test", PASSWORD)


async def test_a_token_has_no_sessions_and_no_password(core: Core, alice: Customer) -> None:
    token = Actor(scopes=frozenset(Scope), account_id=alice.actor.account_id, token_id="0" * 16)
    with pytest.raises(NotAllowed):
        await core.sessions.list(token)
    with pytest.raises(NotAllowed):
        await core.sessions.end_all(token, own_too=True)
    with pytest.raises(NotAllowed):
        await core.accounts.change_password(token, PASSWORD, NEW_PASSWORD)


async def test_attack_089_suspension_ends_everything_until_it_is_lifted(core: Core, alice: Customer) -> None:
    token, _ = await log_in(core)
    for status, expected in ((AccountStatus.SUSPENDED, False), (AccountStatus.ACTIVE, True)):
        async with core.database.write() as connection:
            where = accounts.c.id == alice.actor.account_id
            await connection.execute(update(accounts).where(where).values(status=status))
        assert await is_in(core, token) is expected


@pytest.fixture
async def clocked(tmp_path: Path, database_url: str) -> AsyncIterator[tuple[Core, Clock]]:
    clock = Clock()
    clock.now = datetime.now(UTC)
    settings = settings_for(tmp_path, database_url)
    await upgrade_schema(settings)
    async with open_core(settings, clock=clock) as core:
        yield core, clock


async def test_the_last_use_is_known_within_minutes(
    clocked: tuple[Core, Clock], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written by and by, and at the end."""
    core, clock = clocked
    alice = await new_customer(core, "alice@customer.test")
    token, actor = await log_in(core)
    opened_at = clock.now

    async def seen() -> datetime | None:
        return next(info.last_seen_at for info in (await core.sessions.list(actor))[0] if info.id == actor.session_id)

    clock.pass_s(60)
    await core.sessions.actor(token)
    await core.sessions._last_use.flush()
    assert await seen() == opened_at
    clock.pass_s(240)
    await core.sessions.actor(token)
    assert await seen() == opened_at
    await core.sessions._last_use.flush()
    assert await seen() == opened_at + timedelta(minutes=5)
    monkeypatch.setattr(last_use, "MAX_WAITING", 0)
    clock.pass_s(600)
    await core.sessions.actor(token)
    await core.sessions._last_use.flush()
    assert await seen() == opened_at + timedelta(minutes=5)
    assert alice.actor.account_id == actor.account_id
