"""Tokens for a customer's programs: what they may do, how long, and what takes it from them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from core.conftest import Customer, new_customer, settings_for
from core.test_lockout import Clock
from mailkeep.bootstrap import Core, open_core
from mailkeep.domain.account import AccountStatus
from mailkeep.domain.scope import CUSTOMER_SCOPES, GRANTABLE_SCOPES, SERVICE_SCOPES, Actor, Scope
from mailkeep.errors import InvalidInput, LimitReached, NotAllowed, NotAuthenticated, NotFound
from mailkeep.services import tokens
from mailkeep.storage.schema import accounts, api_tokens
from mailkeep.storage.upgrade import upgrade_schema

READING = frozenset({Scope.MESSAGES_READ})
PATTERN = re.compile(r"mk_[0-9a-f]{16}_[A-Za-z0-9_-]{43}")


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.now = datetime.now(UTC)
    return clock


@pytest.fixture
async def core(tmp_path: Path, database_url: str, clock: Clock) -> AsyncIterator[Core]:
    settings = settings_for(tmp_path, database_url)
    await upgrade_schema(settings)
    async with open_core(settings, clock=clock) as core:
        yield core


@pytest.fixture
async def alice(core: Core) -> Customer:
    return await new_customer(core, "alice@customer.test")


async def is_good(core: Core, text: str) -> bool:
    try:
        await core.tokens.actor(text)
    except NotAuthenticated:
        return False
    return True


async def test_a_token_is_shown_once_and_does_what_it_says(core: Core, alice: Customer) -> None:
    text, token = await core.tokens.create(alice.actor, " nightly tests ", READING)
    assert PATTERN.fullmatch(text)
    actor = await core.tokens.actor(text)
    assert (actor.scopes, actor.account_id, actor.token_id) == (READING, alice.actor.account_id, token.id)
    assert (actor.user_id, actor.session_id) == (None, None)
    assert await core.tokens.list(alice.actor) == [token]
    assert (token.name, token.last_used_at) == ("nightly tests", None)
    async with core.database.read() as connection:
        row = (await connection.execute(api_tokens.select())).one()
    assert text[20:] not in repr(row)


async def test_nobody_gives_what_he_does_not_hold(core: Core, alice: Customer) -> None:
    viewer = replace(alice.actor, scopes=frozenset({Scope.TOKENS_WRITE, Scope.MESSAGES_READ}))
    for actor, scopes in (
        (viewer, {Scope.MESSAGES_READ, Scope.MESSAGES_WRITE}),
        (alice.actor, {Scope.TOKENS_WRITE}),
        (alice.actor, set()),
        *((alice.actor, {scope}) for scope in SERVICE_SCOPES),
    ):
        with pytest.raises(InvalidInput) as caught:
            await core.tokens.create(actor, "x", scopes)
        assert caught.value.field == "scopes"
    assert (await core.tokens.create(viewer, "x", READING))[1].scopes == READING


async def test_a_token_manages_no_tokens(core: Core, alice: Customer) -> None:
    """Not even one that somebody has put the scope into."""
    text, token = await core.tokens.create(alice.actor, "x", GRANTABLE_SCOPES)
    async with core.database.write() as connection:
        every = sorted(scope.value for scope in CUSTOMER_SCOPES)
        await connection.execute(update(api_tokens).values(scopes=[*every, "admin", "later:read"]))
    actor = await core.tokens.actor(text)
    assert actor.scopes == GRANTABLE_SCOPES
    for attempt in (
        core.tokens.create(actor, "x", READING),
        core.tokens.rotate(actor, token.id, overlap=timedelta(0)),
        core.tokens.revoke(actor, token.id),
    ):
        with pytest.raises(NotAllowed):
            await attempt
    assert len(await core.tokens.list(actor)) == 1


async def test_attack_078_a_scope_is_not_inherited(core: Core, alice: Customer) -> None:
    """A token has what it was given, whatever its owner holds by now."""
    text, _ = await core.tokens.create(alice.actor, "x", READING)
    actor = await core.tokens.actor(text)
    for scope in CUSTOMER_SCOPES - READING:
        with pytest.raises(NotAllowed):
            actor.require(scope)


async def test_attack_078_expired_revoked_and_suspended(core: Core, alice: Customer, clock: Clock) -> None:
    text, token = await core.tokens.create(alice.actor, "x", READING, expires_at=clock.now + timedelta(hours=1))
    other_text, other = await core.tokens.create(alice.actor, "y", READING)
    assert await is_good(core, text)
    clock.pass_s(3600)
    assert not await is_good(core, text)
    assert {each.id for each in await core.tokens.list(alice.actor)} == {token.id, other.id}
    for status, expected in ((AccountStatus.SUSPENDED, False), (AccountStatus.ACTIVE, True)):
        async with core.database.write() as connection:
            await connection.execute(update(accounts).values(status=status))
        assert await is_good(core, other_text) is expected
    await core.tokens.revoke(alice.actor, other.id)
    assert not await is_good(core, other_text)
    with pytest.raises(NotFound):
        await core.tokens.revoke(alice.actor, other.id)
    with pytest.raises(InvalidInput):
        await core.tokens.create(alice.actor, "x", READING, expires_at=clock.now)


async def test_rotation_overlaps_as_long_as_it_was_asked_to(core: Core, alice: Customer, clock: Clock) -> None:
    first, token = await core.tokens.create(alice.actor, "x", READING)
    second, rotated = await core.tokens.rotate(alice.actor, token.id, overlap=timedelta(hours=1))
    assert (second[:20], rotated.id) == (first[:20], token.id)
    assert rotated.previous_until == clock.now + timedelta(hours=1)
    assert [await is_good(core, text) for text in (first, second)] == [True, True]
    clock.pass_s(3600)
    assert [await is_good(core, text) for text in (first, second)] == [False, True]
    third, _ = await core.tokens.rotate(alice.actor, token.id, overlap=timedelta(hours=1))
    fourth, _ = await core.tokens.rotate(alice.actor, token.id, overlap=timedelta(hours=1))
    assert [await is_good(core, text) for text in (first, second, third, fourth)] == [False, False, True, True]
    last, _ = await core.tokens.rotate(alice.actor, token.id, overlap=timedelta(0))
    assert [await is_good(core, text) for text in (third, fourth, last)] == [False, False, True]
    await core.tokens.revoke(alice.actor, token.id)
    assert not await is_good(core, last)


async def test_who_may_do_less_does_not_get_a_token_that_may_do_more(core: Core, alice: Customer) -> None:
    _, token = await core.tokens.create(alice.actor, "x", {Scope.ACCOUNT_WRITE})
    member = replace(alice.actor, scopes=CUSTOMER_SCOPES - {Scope.ACCOUNT_WRITE})
    with pytest.raises(NotAllowed):
        await core.tokens.rotate(member, token.id, overlap=timedelta(hours=1))


async def test_another_accounts_tokens_are_nowhere(core: Core, alice: Customer) -> None:
    bob = await new_customer(core, "bob@customer.test")
    text, token = await core.tokens.create(alice.actor, "x", READING)
    assert await core.tokens.list(bob.actor) == []
    for attempt in (
        core.tokens.get(bob.actor, token.id),
        core.tokens.revoke(bob.actor, token.id),
        core.tokens.rotate(bob.actor, token.id, overlap=timedelta(0)),
    ):
        with pytest.raises(NotFound):
            await attempt
    assert await is_good(core, text)


async def test_an_account_has_so_many(core: Core, alice: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "MAX_TOKENS", 2)
    _, first = await core.tokens.create(alice.actor, "x", READING)
    await core.tokens.create(alice.actor, "x", READING)
    with pytest.raises(LimitReached):
        await core.tokens.create(alice.actor, "x", READING)
    await core.tokens.revoke(alice.actor, first.id)
    await core.tokens.create(alice.actor, "x", READING)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a\x00", "x" * 101])
async def test_a_name_is_a_name(core: Core, alice: Customer, name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await core.tokens.create(alice.actor, name, READING)
    assert caught.value.field == "name"


async def test_the_last_use_is_known_within_a_minute(core: Core, alice: Customer, clock: Clock) -> None:
    text, token = await core.tokens.create(alice.actor, "x", READING)

    async def used_at() -> datetime | None:
        await core.tokens._last_use.flush()
        return (await core.tokens.get(alice.actor, token.id)).last_used_at

    assert await used_at() is None
    await core.tokens.actor(text)
    first = clock.now
    assert await used_at() == first
    clock.pass_s(59)
    await core.tokens.actor(text)
    assert await used_at() == first
    clock.pass_s(1)
    await core.tokens.actor(text)
    assert await used_at() == clock.now


async def test_a_wrong_secret_takes_two_comparisons_too(core: Core, alice: Customer) -> None:
    text, token = await core.tokens.create(alice.actor, "x", READING)
    for wrong in (
        text[:-1],
        text[:-1] + ("A" if text[-1] != "A" else "B"),
        text.upper(),
        f"{text} ",
        "mk_" + "0" * 16 + text[19:],
    ):
        assert not await is_good(core, wrong)
    assert isinstance(await core.tokens.actor(text), Actor)
    assert token.id in text
