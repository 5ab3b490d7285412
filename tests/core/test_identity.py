"""Who is who: registration, log-in, sessions, tokens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.conftest import PASSWORD, Customer, settings_for
from mailkeep.bootstrap import Core, open_core
from mailkeep.domain.scope import CUSTOMER_SCOPES, Scope, operator
from mailkeep.errors import Conflict, InvalidInput, NotAllowed, NotAuthenticated, NotFound
from mailkeep.storage.upgrade import upgrade_schema


async def test_registering_gives_an_account_and_an_address(core: Core) -> None:
    made = await core.accounts.register("  Alice@Customer.Test ", PASSWORD)
    assert made.user.email == "alice@customer.test"
    assert made.address.address.endswith("@mail.test")
    assert (await core.accounts.authenticate("ALICE@customer.test", PASSWORD)).id == made.user.id
    with pytest.raises(Conflict):
        await core.accounts.register("alice@customer.test", PASSWORD)


@pytest.mark.parametrize(
    "email", ["", "a", "a@", "@b", "a b@c.test", "a@b@c", "a\n@b.test", "<a@b.test>", "a" * 300 + "@b"]
)
async def test_no_email_address(core: Core, email: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await core.accounts.register(email, PASSWORD)
    assert caught.value.field == "email"


@pytest.mark.parametrize("password", ["", "short", "password1234", "QwertyUiop123", "aaaaaaaaaaaaa", "x" * 1025])
async def test_no_password(core: Core, password: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await core.accounts.register("alice@customer.test", password)
    assert caught.value.field == "password"


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("alice@customer.test", PASSWORD + "x"),
        ("alice@customer.test", ""),
        ("nobody@customer.test", PASSWORD),
        ("alice@customer.test", "\ud800"),
    ],
)
@pytest.mark.usefixtures("alice")
async def test_a_wrong_log_in(core: Core, email: str, password: str) -> None:
    with pytest.raises(NotAuthenticated, match="the e-mail address or the password is wrong"):
        await core.accounts.authenticate(email, password)


async def test_a_session_ends_with_its_log_out(core: Core, alice: Customer) -> None:
    user = await core.accounts.user(alice.actor)
    session = await core.sessions.open(user)
    actor = await core.sessions.actor(session.token)
    assert (actor.account_id, actor.scopes) == (user.account_id, CUSTOMER_SCOPES)
    await core.sessions.close(actor)
    with pytest.raises(NotAuthenticated):
        await core.sessions.actor(session.token)
    await core.accounts.user(alice.actor)  # the other session goes on


async def test_sessions_survive_a_restart_and_end_in_time(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    await upgrade_schema(settings)
    async with open_core(settings) as core:
        session = await core.sessions.open((await core.accounts.register("a@b.test", PASSWORD)).user)
    assert (settings.data_dir / "session.key").stat().st_mode & 0o777 == 0o600
    async with open_core(settings) as core:
        await core.sessions.actor(session.token)
    async with open_core(settings, clock=lambda: datetime.now(UTC) + timedelta(hours=25)) as core:
        with pytest.raises(NotAuthenticated):
            await core.sessions.actor(session.token)


async def test_a_service_token(core: Core) -> None:
    text, token = await core.service_tokens.create(operator(), "mxd", [Scope.POLICY])
    actor = await core.tokens.actor(text)
    assert (actor.scopes, actor.account_id, actor.token_id) == (frozenset({Scope.POLICY}), None, token.id)
    with pytest.raises(NotAllowed):
        actor.owner(Scope.POLICY)
    with pytest.raises(InvalidInput):
        await core.service_tokens.create(operator(), "x", [Scope.MESSAGES_READ])
    for wrong in ("", "mk_", text[:-1], text[:-1] + ("A" if text[-1] != "A" else "B"), "mk_" + "0" * 16 + text[19:]):
        with pytest.raises(NotAuthenticated):
            await core.tokens.actor(wrong)


async def test_another_account_is_nowhere(core: Core, alice: Customer, bob: Customer) -> None:
    with pytest.raises(NotFound):
        await core.addresses.get(bob.actor, alice.address.id)
    with pytest.raises(NotFound):
        await core.addresses.update(bob.actor, alice.address.id, active=False)
    with pytest.raises(NotFound):
        await core.addresses.delete(bob.actor, alice.address.id)
