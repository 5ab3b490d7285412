"""Administration and incidents: what an administrator can do to accounts, and that their owners are told."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core.conftest import PASSWORD, POLICY, Customer
from mailkeep.bootstrap import Core
from mailkeep.domain.account import AccountStatus
from mailkeep.domain.administration import AccountFilter
from mailkeep.domain.audit import ActorKind, AuditQuery, Origin
from mailkeep.domain.clock import utc_now
from mailkeep.domain.ids import new_id
from mailkeep.domain.incident import Traces
from mailkeep.domain.scope import Actor, Scope, operator
from mailkeep.errors import InvalidInput, NotAllowed, NotAuthenticated, NotFound

ADMIN = Actor(scopes=frozenset({Scope.ADMIN}), token_id="0123456789abcdef")


def account_of(customer: Customer) -> str:
    return customer.address.account_id


async def email_of(customer: Customer) -> str:
    return (await customer.core.accounts.user(customer.actor)).email


async def test_accounts_are_found(core: Core, alice: Customer, bob: Customer) -> None:
    found, before = await core.administration.find(ADMIN, AccountFilter(limit=1))
    assert [entry.id for entry in found] == [account_of(bob)]
    found, end = await core.administration.find(ADMIN, AccountFilter(limit=1, before=before))
    assert [entry.id for entry in found] == [account_of(alice)]
    assert end is None
    for wanted in (AccountFilter(email=await email_of(alice)), AccountFilter(address=alice.address.address)):
        (entry,), _ = await core.administration.find(ADMIN, wanted)
        assert (entry.id, entry.email, entry.addresses) == (account_of(alice), await email_of(alice), 1)
    suspended, _ = await core.administration.find(ADMIN, AccountFilter(status=AccountStatus.SUSPENDED))
    paid, _ = await core.administration.find(ADMIN, AccountFilter(tier="paid"))
    assert (suspended, paid) == ([], [])


async def test_a_suspended_account_is_out_at_once_and_told(core: Core, alice: Customer, bob: Customer) -> None:
    user = await core.accounts.authenticate(await email_of(alice), PASSWORD)
    session = await core.sessions.open(user)
    cursor = (await core.recipients.changes(POLICY, 0)).cursor
    changed = await core.administration.change(ADMIN, account_of(alice), status=AccountStatus.SUSPENDED)
    assert changed.status is AccountStatus.SUSPENDED
    with pytest.raises(NotAuthenticated):
        await core.sessions.actor(session.token)
    (recipient,) = (await core.recipients.changes(POLICY, cursor)).recipients
    assert (recipient.address_id, recipient.active) == (alice.address.id, False)

    with pytest.raises(NotAuthenticated):
        await core.sessions.open(user)

    await core.administration.change(ADMIN, account_of(alice), status=AccountStatus.ACTIVE)
    with pytest.raises(NotAuthenticated):  # what was open does not come alive again
        await core.sessions.actor(session.token)
    assert (await core.sessions.actor((await core.sessions.open(user)).token)).account_id == account_of(alice)
    told, _ = await core.audit.list(alice.actor, AuditQuery(action="admin.account_update"))
    assert [(record.actor_kind, record.actor_id, record.detail) for record in told] == [
        (ActorKind.SERVICE, ADMIN.token_id, "tier=free status=active"),
        (ActorKind.SERVICE, ADMIN.token_id, "tier=free status=suspended"),
    ]
    assert (await core.audit.list(bob.actor, AuditQuery(action="admin.account_update")))[0] == []


async def test_a_tier_is_in_the_feed_at_once(core: Core, alice: Customer) -> None:
    cursor = (await core.recipients.changes(POLICY, 0)).cursor
    await core.administration.change(ADMIN, account_of(alice), tier="paid")
    (recipient,) = (await core.recipients.changes(POLICY, cursor)).recipients
    assert recipient.per_hour == 1000
    with pytest.raises(InvalidInput):
        await core.administration.change(ADMIN, account_of(alice), tier="golden")
    with pytest.raises(NotFound):
        await core.administration.change(ADMIN, new_id(), tier="paid")


async def test_looking_is_told_too(core: Core, alice: Customer) -> None:
    await core.administration.get(operator(), account_of(alice))
    await core.trail.flush()
    (record,), _ = await core.audit.list(alice.actor, AuditQuery(action="admin.account_view"))
    assert record.actor_kind is ActorKind.OPERATOR


async def test_totals(core: Core, alice: Customer, bob: Customer) -> None:
    await core.administration.change(ADMIN, account_of(bob), tier="paid", status=AccountStatus.SUSPENDED)
    totals = await core.administration.totals(ADMIN)
    assert totals.accounts == {("free", AccountStatus.ACTIVE): 1, ("paid", AccountStatus.SUSPENDED): 1}
    assert (totals.addresses, totals.messages_received, totals.storage_bytes) == (2, 0, 0)
    assert account_of(alice) != account_of(bob)


async def test_nobody_else_may(core: Core, alice: Customer) -> None:
    account_id, now = account_of(alice), utc_now()
    for attempt in (
        core.administration.find(alice.actor, AccountFilter()),
        core.administration.get(alice.actor, account_id),
        core.administration.change(alice.actor, account_id, tier="paid"),
        core.administration.totals(alice.actor),
        core.administration.audit(alice.actor, AuditQuery()),
        core.incident.revoke_sessions(alice.actor, None),
        core.incident.revoke_tokens(alice.actor, None),
        core.incident.notices(alice.actor, Traces(now, now)),
    ):
        with pytest.raises(NotAllowed):
            await attempt


async def test_sessions_are_revoked_of_one_and_of_all(core: Core, alice: Customer, bob: Customer) -> None:
    tokens = {}
    for customer in (alice, bob):
        user = await core.accounts.authenticate(await email_of(customer), PASSWORD)
        tokens[account_of(customer)] = (await core.sessions.open(user)).token
    assert await core.incident.revoke_sessions(ADMIN, account_of(alice)) >= 1
    with pytest.raises(NotAuthenticated):
        await core.sessions.actor(tokens[account_of(alice)])
    assert (await core.sessions.actor(tokens[account_of(bob)])).account_id == account_of(bob)
    assert await core.incident.revoke_sessions(ADMIN, None) >= 1
    with pytest.raises(NotAuthenticated):
        await core.sessions.actor(tokens[account_of(bob)])
    assert await core.incident.revoke_sessions(ADMIN, None) == 0
    (record,), _ = await core.audit.list(bob.actor, AuditQuery(action="incident.sessions_revoked"))
    assert record.detail.startswith("revoked=")


async def test_whom_a_break_in_concerns(core: Core, alice: Customer, bob: Customer) -> None:
    since = utc_now()
    thief = Origin(client_ip="203.0.113.66", request_id=new_id())
    user = await core.accounts.authenticate(await email_of(alice), PASSWORD, origin=thief)
    await core.sessions.open(user, origin=thief)
    await core.sessions.open(await core.accounts.authenticate(await email_of(bob), PASSWORD))
    until = utc_now() + timedelta(seconds=1)
    (notice,) = await core.incident.notices(ADMIN, Traces(since, until, client_ip=thief.client_ip))
    assert (notice.affected.account_id, notice.email) == (account_of(alice), await email_of(alice))
    assert (notice.affected.records, notice.affected.first_at) == (1, notice.affected.last_at)
    assert len(await core.incident.notices(ADMIN, Traces(since, until, action="session.open"))) == 2
    assert await core.incident.notices(ADMIN, Traces(until, until + timedelta(days=1))) == []
