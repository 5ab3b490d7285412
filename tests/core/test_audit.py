"""The audit log: nothing is changed without a record, nothing that was noted is lost, and no later change is missed."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from core.conftest import Customer, settings_for
from mailkeep.bootstrap import Core, open_core
from mailkeep.domain.audit import ActorKind, AuditQuery, AuditRecord, Origin, Place, visible
from mailkeep.domain.audit_signing import AuditSigner
from mailkeep.domain.clock import utc_now
from mailkeep.domain.ids import lowest_id, new_id
from mailkeep.domain.scope import Actor
from mailkeep.errors import ConfigurationError, DatabaseUnavailable, InvalidInput, NotAuthenticated
from mailkeep.services.audit import AuditTrail
from mailkeep.services.audit_buffer import MAX_WAITING
from mailkeep.services.audit_head import read_head, write_head
from mailkeep.services.audit_tally import AuditTally
from mailkeep.services.audit_verifying import Fault, Verdict
from mailkeep.storage import account_rows
from mailkeep.storage import audit_log as audit_storage
from mailkeep.storage.audit_seals import Seal
from mailkeep.storage.database import Database
from mailkeep.storage.schema import audit_log, audit_places, audit_seals
from mailkeep.storage.upgrade import upgrade_schema

Tampering = Callable[[Core, list[str]], Awaitable[None]]


def from_a_request(actor: Actor) -> Actor:
    return replace(actor, origin=Origin(client_ip="192.0.2.1", user_agent="curl/8", request_id=new_id()))


async def records_of(customer: Customer, **query: Any) -> list[AuditRecord]:
    await customer.core.trail.flush()
    found, _ = await customer.core.audit.list(customer.actor, AuditQuery(limit=200, **query))
    return found


async def verify(core: Core) -> Verdict:
    return await core.verifying.verify(lambda _: None)


async def change(core: Core, statement: Any) -> None:
    async with core.database.write() as connection:
        await connection.execute(statement)


async def fill(customer: Customer, count: int) -> list[str]:
    """Records that are sealed; their ids in the order of the chain."""
    for number in range(count):
        await customer.core.trail.note(from_a_request(customer.actor), "message.view", detail=str(number))
    await customer.core.trail.flush()
    await customer.core.sealing.seal()
    async with customer.core.database.read() as connection:
        rows = await connection.execute(select(audit_seals.c.audit_id).order_by(audit_seals.c.seq))
        return list(rows.scalars())


async def test_a_change_and_its_record_are_one(core: Core, alice: Customer) -> None:
    actor = from_a_request(alice.actor)
    created = await core.addresses.create(actor, label="ci")
    (record,) = await records_of(alice, action="address.create")
    assert (record.actor_kind, record.actor_id) == (ActorKind.USER, alice.actor.user_id)
    assert (record.account_id, record.resource, record.outcome) == (alice.actor.account_id, created.id, "done")
    assert record.place == Place("192.0.2.1", "curl/8")
    assert record.request_id == actor.origin.request_id
    with pytest.raises(InvalidInput):
        await core.addresses.create(actor, label="two\nlines")
    assert len(await records_of(alice, action="address.create")) == 1


async def test_a_change_that_is_rolled_back_leaves_no_record(alice: Customer) -> None:
    with pytest.raises(ZeroDivisionError):
        await _write_and_fail(alice)
    assert await records_of(alice, action="address.create") == []


async def _write_and_fail(customer: Customer) -> None:
    async with customer.core.database.write() as connection:
        await customer.core.trail.write(connection, customer.actor, "address.create")
        raise ZeroDivisionError


async def test_failed_log_ins_are_their_accounts(core: Core, alice: Customer, bob: Customer) -> None:
    email = (await core.accounts.user(alice.actor)).email
    origin = Origin(client_ip="198.51.100.9", request_id=new_id())
    for wrong in (email, "nobody@example.org"):
        with pytest.raises(NotAuthenticated):
            await core.accounts.authenticate(wrong, "not the password", origin=origin)
    (record,) = await records_of(alice, outcome="not-authenticated")
    assert (record.action, record.actor_kind, record.actor_id) == ("session.open", ActorKind.NOBODY, "")
    assert record.place == Place("198.51.100.9", "")
    assert await records_of(bob, outcome="not-authenticated") == []
    async with core.database.read() as connection:
        everybodys = await audit_storage.platform_page(connection, AuditQuery(outcome="not-authenticated"))
    assert {each.account_id for each in everybodys} == {alice.actor.account_id, None}


async def test_filters_and_pages(core: Core, alice: Customer) -> None:
    await fill(alice, 7)
    await core.addresses.create(alice.actor)
    first, before = await core.audit.list(alice.actor, AuditQuery(action="message.view", limit=5))
    second, end = await core.audit.list(alice.actor, AuditQuery(action="message.view", limit=5, before=before))
    assert [record.detail for record in [*first, *second]] == ["6", "5", "4", "3", "2", "1", "0"]
    assert end is None
    moment = first[2].at
    assert len(await records_of(alice, action="message.view", since=moment)) == 3
    assert len(await records_of(alice, action="message.view", until=moment)) == 4
    assert [each.resource for each in await records_of(alice, resource=first[0].resource, action="x.y")] == []
    exported = [record async for record in core.audit.export(alice.actor, AuditQuery())]
    assert exported == await records_of(alice)


async def test_what_is_noted_is_written_within_a_second(core: Core, alice: Customer) -> None:
    await core.trail.note(alice.actor, "message.view")
    await asyncio.sleep(1.5)
    found, _ = await core.audit.list(alice.actor, AuditQuery(action="message.view"))
    assert len(found) == 1


async def test_a_full_buffer_makes_wait_and_loses_nothing(core: Core, alice: Customer) -> None:
    count = MAX_WAITING + 700
    await asyncio.gather(*(core.trail.note(alice.actor, "message.view") for _ in range(count)))
    await core.trail.flush()
    async with core.database.read() as connection:
        query = select(func.count()).select_from(audit_log).where(audit_log.c.action == "message.view")
        assert (await connection.execute(query)).scalar_one() == count


async def test_what_the_database_does_not_take_at_the_end_is_there_at_the_next_start(
    tmp_path: Path, database_url: str
) -> None:
    settings = settings_for(tmp_path, database_url)
    await upgrade_schema(settings)
    actor = Actor(
        scopes=frozenset(), token_id="0123456789abcdef", origin=Origin(request_id=new_id(), user_agent="caf\u00e9")
    )
    async with open_core(settings) as core:
        away = Faulty(core.database, DatabaseUnavailable("away"))
        trail = AuditTrail(away, AuditSigner(b"k" * 32), spill_dir=tmp_path / "pending", clock=utc_now)
        async with trail.running():
            for number in range(3):
                await trail.note(actor, "message.view", detail=str(number))
    assert len(list((tmp_path / "pending").iterdir())) == 1
    async with open_core(settings) as core:
        trail = AuditTrail(core.database, AuditSigner(b"k" * 32), spill_dir=tmp_path / "pending", clock=utc_now)
        for _ in range(2):  # a second start finds nothing to do
            async with trail.running():
                pass
        async with core.database.read() as connection:
            found = await audit_storage.platform_page(connection, AuditQuery(action="message.view"))
    assert [record.detail for record in found] == ["2", "1", "0"]
    assert {record.place for record in found} == {Place("", "caf\u00e9")}


class Faulty(Database):
    """A database of which a transaction ends with an error, before it begins or after it was stored."""

    def __init__(self, like: Database, error: Exception, *, times: int = 10**9, after: bool = False) -> None:
        super().__init__(like.engine, connections=2, timeout_s=5)
        self._error, self._times, self._after = error, times, after

    @asynccontextmanager
    async def write(self, *, timeout_s: float | None = None) -> AsyncIterator[AsyncConnection]:
        fails = self._times > 0
        self._times -= 1
        if fails and not self._after:
            raise self._error
        async with super().write(timeout_s=timeout_s) as connection:
            yield connection
        if fails:
            raise self._error


@pytest.mark.parametrize("after", [False, True], ids=["not stored", "stored and not acknowledged"])
@pytest.mark.parametrize("error", [DatabaseUnavailable("away"), RuntimeError("a fault of ours")], ids=["away", "fault"])
async def test_a_transaction_that_fails_is_made_up_for(
    core: Core, tmp_path: Path, error: Exception, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailkeep.services.audit_buffer.RETRY_S", 0.01)
    faulty = Faulty(core.database, error, times=2, after=after)
    trail = AuditTrail(faulty, AuditSigner(b"k" * 32), spill_dir=tmp_path / "pending", clock=utc_now)
    actor = Actor(scopes=frozenset(), token_id="0123456789abcdef", origin=Origin(request_id=new_id()))
    async with trail.running():
        for number in range(3):
            await trail.note(actor, "message.view", detail=str(number))
            await asyncio.sleep(1.2)
    async with core.database.read() as connection:
        found = await audit_storage.platform_page(connection, AuditQuery(action="message.view"))
    assert [record.detail for record in found] == ["2", "1", "0"]
    assert not (tmp_path / "pending").exists()


async def test_a_damaged_file_is_set_aside_and_the_rest_of_it_taken_up(core: Core, tmp_path: Path) -> None:
    actor = Actor(scopes=frozenset(), token_id="0123456789abcdef", origin=Origin(request_id=new_id()))
    pending = tmp_path / "pending"
    away = Faulty(core.database, DatabaseUnavailable("away"))
    trail = AuditTrail(away, AuditSigner(b"k" * 32), spill_dir=pending, clock=utc_now)
    async with trail.running():
        await trail.note(actor, "message.view")
    (path,) = pending.glob("*.jsonl")
    path.write_text(f'{{}}\n{path.read_text("utf-8")}{{"record"', "utf-8")
    async with AuditTrail(core.database, AuditSigner(b"k" * 32), spill_dir=pending, clock=utc_now).running():
        pass
    assert [path.suffix for path in pending.iterdir()] == [".damaged"]
    async with core.database.read() as connection:
        assert len(await audit_storage.platform_page(connection, AuditQuery(action="message.view"))) == 1


async def test_strangers_do_not_fill_the_log(core: Core, alice: Customer) -> None:
    for number in range(300):
        origin = Origin(client_ip=f"2001:db8::{number % 7}", request_id=new_id())
        nobody = Actor(scopes=frozenset(), origin=origin)
        await core.trail.note(nobody, "message.list", outcome="not-authenticated")
        await core.trail.note(replace(alice.actor, origin=origin), "message.list", outcome="rate-exceeded")
    await core.trail.flush()
    async with core.database.read() as connection:
        found = await audit_storage.platform_page(connection, AuditQuery(action="message.list", limit=1000))
    assert 2 <= len(found) <= 6  # the first of each kind, and what was counted when a minute passed meanwhile
    assert {record.outcome for record in found} == {"not-authenticated", "rate-exceeded"}


def test_what_strangers_did_is_counted() -> None:
    tally = AuditTally()
    record = AuditRecord(
        id=new_id(),
        at=utc_now(),
        account_id=None,
        actor_kind=ActorKind.NOBODY,
        actor_id="",
        action="message.list",
        resource="",
        detail="",
        outcome="not-authenticated",
        request_id="",
        place=Place("192.0.2.1", ""),
    )
    now = record.at
    assert list(tally.over(now)) == []
    assert [tally.is_first(record) for _ in range(5)] == [True, False, False, False, False]
    assert list(tally.over(now)) == []
    (counted,) = tally.over(now + timedelta(minutes=1))
    assert counted.detail == "and 4 like it"
    assert list(tally.over(now + timedelta(minutes=2))) == []
    others = [
        replace(record, place=Place(f"10.{each >> 16}.{each >> 8 & 255}.{each & 255}", "")) for each in range(10_500)
    ]
    assert sum(map(tally.is_first, others)) == 10_001
    (together,) = tally.rest()
    assert together.detail == "and 499 like it"


async def test_the_head_is_never_set_back(tmp_path: Path) -> None:
    path = tmp_path / "audit.head"
    write_head(path, Seal(7, "x", "7"))
    write_head(path, Seal(5, "y", "5"))
    assert read_head(path) == Seal(7, "x", "7")
    path.write_text("{", "utf-8")
    with pytest.raises(ConfigurationError):
        write_head(path, Seal(8, "z", "8"))


def test_attack_096_what_strangers_write_is_escaped() -> None:
    assert visible("a\r\nb\x1b[31m\udcff\u202e") == r"a\r\nb\x1b[31m\udcff\u202e"
    assert len(visible("x" * 1_000_000)) == 512


async def test_a_whole_log_is_found_whole(core: Core, alice: Customer) -> None:
    ids = await fill(alice, 30)
    await core.trail.note(alice.actor, "message.view")
    await core.trail.flush()
    verdict = await verify(core)
    assert (verdict.finding, verdict.unsealed, verdict.sealed) == (None, 1, len(ids))
    assert await core.sealing.seal() == 1
    assert await core.sealing.seal() == 0
    assert (await verify(core)).unsealed == 0


async def _change_a_field(core: Core, ids: list[str]) -> None:
    column = secrets.choice(["action", "resource", "detail", "outcome", "actor_id", "request_id", "account_id"])
    await change(core, update(audit_log).where(audit_log.c.id == ids[0]).values({column: "x"}))


async def _change_the_place(core: Core, ids: list[str]) -> None:
    await change(core, update(audit_places).where(audit_places.c.audit_id == ids[0]).values(client_ip="203.0.113.1"))


async def _remove_the_place(core: Core, ids: list[str]) -> None:
    await change(core, delete(audit_places).where(audit_places.c.audit_id == ids[0]))


async def _remove(core: Core, ids: list[str]) -> None:
    await change(core, delete(audit_log).where(audit_log.c.id == ids[0]))


async def _remove_with_its_link(core: Core, ids: list[str]) -> None:
    await _remove(core, ids)
    await change(core, delete(audit_seals).where(audit_seals.c.audit_id == ids[0]))


async def _swap(core: Core, ids: list[str]) -> None:
    """Two records change places: each has the other's id."""
    for old, new in ((ids[0], "swapping"), (ids[1], ids[0]), ("swapping", ids[1])):
        await change(core, update(audit_log).where(audit_log.c.id == old).values(id=new))


async def _swap_links(core: Core, ids: list[str]) -> None:
    for old, new in ((ids[0], "swapping"), (ids[1], ids[0]), ("swapping", ids[1])):
        await change(core, update(audit_seals).where(audit_seals.c.audit_id == old).values(audit_id=new))


async def _append(core: Core, ids: list[str]) -> None:
    """A copy of a record, under an id of now."""
    async with core.database.read() as connection:
        row = (await connection.execute(select(audit_log).where(audit_log.c.id == ids[0]))).one()
    await change(core, insert(audit_log).values({**row._mapping, "id": new_id()}))


async def _append_signed_by_another_key(core: Core, ids: list[str]) -> None:
    async with core.database.read() as connection:
        stored = (await audit_storage.of_ids(connection, ids[:1]))[ids[0]]
    forged = AuditSigner(b"f" * 32).sign(replace(stored.record, id=new_id()))
    async with core.database.write() as connection:
        await audit_storage.add_all(connection, [forged])


@pytest.mark.parametrize(
    ("tamper", "faults"),
    [
        (_change_a_field, {Fault.CHANGED}),
        (_change_the_place, {Fault.PLACE_CHANGED}),
        (_remove_the_place, {Fault.PLACE_MISSING}),
        (_remove, {Fault.MISSING}),
        (_remove_with_its_link, {Fault.CHAIN}),
        (_swap, {Fault.CHANGED}),
        (_swap_links, {Fault.CHAIN}),
        (_append, {Fault.CHANGED}),
        (_append_signed_by_another_key, {Fault.CHANGED}),
    ],
    ids=lambda value: value.__name__.strip("_") if callable(value) else "",
)
async def test_a_record_at_random_that_was_tampered_with(
    core: Core, alice: Customer, tamper: Tampering, faults: set[Fault]
) -> None:
    ids = await fill(alice, 20)
    chosen = secrets.SystemRandom().sample(ids[:-1], 2)
    first = min(chosen, key=ids.index) if tamper in (_swap, _swap_links) else chosen[0]
    await tamper(core, chosen)
    finding = (await verify(core)).finding
    assert finding is not None
    assert finding.fault in faults
    if tamper is _append or tamper is _append_signed_by_another_key:
        assert finding.audit_id not in ids
    elif tamper is _remove_with_its_link:
        assert finding.seq == ids.index(first) + 1  # the place is named; what stood there is gone
    elif tamper is _swap_links:
        assert finding.seq == ids.index(first) + 1
    else:
        assert finding.audit_id == first


async def test_a_chain_that_was_cut_off_is_found(core: Core, alice: Customer) -> None:
    ids = await fill(alice, 20)
    for table, column in ((audit_log, audit_log.c.id), (audit_seals, audit_seals.c.audit_id)):
        await change(core, delete(table).where(column.in_(ids[-3:])))
    await change(core, delete(audit_places).where(audit_places.c.audit_id.in_(ids[-3:])))
    finding = (await verify(core)).finding
    assert finding is not None
    assert (finding.fault, finding.audit_id) == (Fault.CUT_OFF, ids[-1])


async def test_places_may_go_with_their_account(core: Core, alice: Customer, bob: Customer) -> None:
    await fill(alice, 3)
    await fill(bob, 3)
    async with core.database.write() as connection:
        await core.trail.write(connection, alice.actor, "account.delete")
    async with core.database.write() as connection:
        assert await account_rows.erase(connection, audit_places, str(alice.actor.account_id), limit=100) >= 4
    assert (await verify(core)).finding is None
    (record,) = await records_of(alice, action="account.delete")
    assert record.place is None
    async with core.database.write() as connection:
        await account_rows.erase(connection, audit_places, str(bob.actor.account_id), limit=100)
    finding = (await verify(core)).finding
    assert finding is not None
    assert finding.fault is Fault.PLACE_MISSING


def test_ids_of_a_moment() -> None:
    before, made, after = lowest_id(utc_now()), new_id(), lowest_id(utc_now().replace(year=2100))
    assert before <= made < after
