"""An account that is deleted is gone: from every table and from the disk, but for what is declared."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import func, insert, select

from core.conftest import PASSWORD, POLICY, Customer, deliver, new_customer, settings_for
from core.remains import blobs_in, blobs_of_rows, columns_with
from mailkeep.bootstrap import Core, open_core
from mailkeep.domain.account import ApiToken
from mailkeep.domain.address import Address
from mailkeep.domain.audit import AuditQuery, Origin
from mailkeep.domain.clock import utc_now
from mailkeep.domain.idempotency import KeptAnswer
from mailkeep.domain.ids import new_id
from mailkeep.domain.message import Transport
from mailkeep.domain.refusal import Refusal
from mailkeep.domain.scope import Actor, Scope, operator
from mailkeep.errors import Conflict, NotAllowed, NotAuthenticated, NotFound
from mailkeep.services.ingest import AcceptedRecipient, Incoming
from mailkeep.storage import (
    account_deletions,
    account_rows,
    accounts,
    api_tokens,
    retention_tallies,
    schema,
    subscriptions,
)
from mailkeep.storage.api_tokens import SecretHash
from mailkeep.storage.retention_tallies import Tally
from mailkeep.storage.schema import metadata
from mailkeep.storage.search_blocks import BLOCK
from mailkeep.storage.upgrade import upgrade_schema
from services.clocks import Moving

EMAIL: Final = "alice@customer.test"
ORIGIN: Final = Origin(client_ip="198.51.100.77", user_agent="AliceBrowser/1.0", request_id="alices-request")
PERSONAL: Final = {EMAIL, "labelof", "aliceletter", "alicefile", "stranger@elsewhere", "tokenofalice"} | {
    "alicesanswer",
    ORIGIN.client_ip,
    ORIGIN.user_agent,
}
# docs/PRIVACY.md says why.
KEPT: Final = {
    "accounts.id",
    "addresses.id",
    "addresses.account_id",
    "addresses.address",
    "audit_log.account_id",
    "audit_log.actor_id",
    "audit_log.resource",
    "audit_log.request_id",
}


@pytest.fixture
def clock() -> Moving:
    return Moving()


@pytest.fixture
async def core(tmp_path: Path, database_url: str, clock: Moving) -> AsyncIterator[Core]:
    async with installed(tmp_path, database_url, clock) as core:
        yield core


@asynccontextmanager
async def installed(tmp_path: Path, database_url: str, clock: Moving) -> AsyncIterator[Core]:
    settings = settings_for(tmp_path, database_url)
    await upgrade_schema(settings)
    async with open_core(settings, clock=clock) as core:
        yield core


def mail(subject: str, *files: str) -> bytes:
    message = EmailMessage()
    message["Subject"] = subject
    message.set_content(f"the body of {subject}\n")
    for name in files:
        message.add_attachment(f"in {name} of {subject}".encode(), "application", "octet-stream", filename=name)
    return message.as_bytes().replace(b"\n", b"\r\n")


def refusal(address: Address) -> Refusal:
    now = utc_now()
    return Refusal(
        address_id=address.id,
        code=552,
        status="5.3.4",
        reason="too large",
        mail_from="stranger@elsewhere.test",
        rcpt_to=address.address,
        client_ip="198.51.100.78",
        client_name="mx.elsewhere.test",
        first_at=now,
        last_at=now,
    )


async def a_full_account(core: Core) -> tuple[Customer, set[str]]:
    """A customer with something in every table there is, and the texts by which it is recognised there."""
    made = await core.accounts.register(EMAIL, PASSWORD, origin=ORIGIN)
    session = await core.sessions.open(made.user, origin=ORIGIN)
    actor = replace(await core.sessions.actor(session.token), origin=ORIGIN)
    alice = Customer(core, actor, made.address)
    gone = await core.addresses.create(actor, local_part="alice.gone", label="labelofold")
    await core.addresses.delete(actor, gone.id)
    await core.addresses.update(actor, made.address.id, label="labelofalice")
    await core.refusals.record(POLICY, [refusal(made.address)])
    await core.tokens.create(actor, "tokenofalice", {Scope.MESSAGES_READ})
    await core.idempotency.claim(made.account.id, "0" * 64, fingerprint="0" * 64)
    answer = KeptAnswer(201, b'{"address": "alicesanswer"}', f"/api/v1/addresses/{made.address.id}")
    await core.idempotency.keep(made.account.id, "0" * 64, answer)
    await deliver(core, mail("aliceletter", "alicefile.txt", "second.bin"), alice.recipient())
    await asyncio.gather(*(deliver(core, mail(f"aliceletter {n}"), alice.recipient()) for n in range(BLOCK)))
    await core.indexer.work_off()
    await core.inbox.delete(actor, (await alice.messages())[0].id)  # its block is to be made anew
    await core.administration.change(operator(), made.account.id, tier="paid")
    async with core.database.write() as connection:
        await subscriptions.take_ticket(connection, made.account.id)
    await core.trail.note(actor, "message.list")
    await core.trail.flush()
    async with core.database.write() as connection:
        await retention_tallies.add(connection, made.account.id, Tally(utc_now(), messages=1, bytes=1))
    ids = [message.id for message in await alice.messages()]
    names = {made.account.id, made.user.id, made.address.id, gone.id, made.address.address, gone.address}
    return alice, PERSONAL | names | {ORIGIN.request_id, *ids}


async def rows_of(core: Core, account_id: str) -> dict[str, int]:
    async with core.database.read() as connection:
        tables = [table for table in metadata.sorted_tables if "account_id" in table.c]
        return {table.name: await account_rows.count(connection, table, account_id) for table in tables}


async def test_nothing_is_left_but_what_is_declared(core: Core, clock: Moving) -> None:
    alice, traces = await a_full_account(core)
    bob = await new_customer(core, "bob@customer.test")
    shared = mail("forboth", "both.txt")
    assert await deliver(core, shared, alice.recipient(), bob.recipient()) == [None, None]
    account_id = alice.address.account_id
    before = await rows_of(core, account_id)
    assert {name for name, count in before.items() if count == 0} <= {"account_deletions"}, (
        "the test shows nothing then"
    )

    receipt = await core.deletion.delete_own(alice.actor, PASSWORD)
    assert receipt.deleted["messages"] == before["messages"] == BLOCK + 1
    assert receipt.deleted["addresses"] == 1
    assert all(receipt.deleted[name] for name in ("refusals", "sessions", "tokens", "users"))
    purged = await core.purge.work_off()
    assert (purged.messages, purged.finished, purged.pending) == (before["messages"], 0, 1)
    assert await columns_with(core, traces) <= KEPT | {"account_deletions.account_id"}
    clock.ahead = timedelta(minutes=2)
    assert (await core.purge.work_off()).finished == 1
    assert await columns_with(core, traces) == KEPT
    assert await columns_with(core, PERSONAL) == set()

    assert blobs_in(core) == await blobs_of_rows(core)
    [his] = await bob.messages()
    assert await bob.source(his) == shared
    detail = await core.inbox.read(bob.actor, his.id)
    file = await core.inbox.attachment(bob.actor, his.id, detail.attachments[0].id)
    assert b"".join([chunk async for chunk in file.chunks]) == b"in both.txt of forboth"
    await core.inbox.delete(bob.actor, his.id)
    assert blobs_in(core) == set()

    await core.sealing.seal()
    assert (await core.verifying.verify(lambda _: None)).finding is None


async def test_from_the_answer_on_nobody_gets_in(core: Core) -> None:
    made = await core.accounts.register(EMAIL, PASSWORD)
    session = await core.sessions.open(made.user)
    other = await core.sessions.open(made.user)
    actor = await core.sessions.actor(session.token)
    api_token, _ = await core.tokens.create(actor, "a program", {Scope.MESSAGES_READ})
    cursor = (await core.recipients.changes(POLICY, 0)).cursor
    await core.deletion.delete_own(actor, PASSWORD)
    changes = await core.recipients.changes(POLICY, cursor)
    assert [(change.address, change.deleted) for change in changes.recipients] == [(made.address.address, True)]
    assert (await core.recipients.changes(POLICY, 0)).recipients == ()
    for token in (session.token, other.token):
        with pytest.raises(NotAuthenticated):
            await core.sessions.actor(token)
    with pytest.raises(NotAuthenticated):
        await core.tokens.actor(api_token)
    with pytest.raises(NotAuthenticated):
        await core.accounts.authenticate(EMAIL, PASSWORD)
    again = await core.accounts.register(EMAIL, PASSWORD)
    assert again.account.id != made.account.id
    anew = await core.sessions.actor((await core.sessions.open(again.user)).token)
    with pytest.raises(Conflict):  # nobody is ever given it again
        await core.addresses.create(anew, address=made.address.address)


async def test_who_may_not(core: Core, alice: Customer, bob: Customer) -> None:
    with pytest.raises(NotAllowed):
        await core.deletion.delete_own(alice.actor, PASSWORD + "x")
    as_token = replace(alice.actor, session_id=None, user_id=None, token_id="0123456789abcdef")
    as_member = replace(alice.actor, scopes=alice.actor.scopes - {Scope.ACCOUNT_WRITE})
    for actor in (as_token, as_member):
        with pytest.raises(NotAllowed):
            await core.deletion.delete_own(actor, PASSWORD)
    with pytest.raises(NotAllowed):
        await core.deletion.delete_any(alice.actor, bob.address.account_id)
    await core.trail.flush()
    page, _ = await core.audit.list(alice.actor, AuditQuery(action="account.delete"))
    assert [record.outcome for record in page] == ["wrong-password"]
    page, _ = await core.audit.list(alice.actor, AuditQuery(action="session.open", outcome="not-authenticated"))
    assert len(page) == 1


async def test_an_administrator_may(core: Core, alice: Customer) -> None:
    admin = Actor(scopes=frozenset({Scope.ADMIN}), token_id="admin")
    account_id = alice.address.account_id
    await core.deletion.delete_any(admin, account_id)
    with pytest.raises(NotFound):
        await core.deletion.delete_any(admin, account_id)
    [record] = (await core.audit.list(alice.actor, AuditQuery(action="account.delete")))[0]
    assert (record.actor_id, record.resource, record.outcome) == ("admin", account_id, "done")


async def test_a_request_under_way_finds_no_account(core: Core, alice: Customer) -> None:
    await deliver(core, mail("one"), alice.recipient())
    [message] = await alice.messages()
    user = await core.accounts.user(alice.actor)
    await core.deletion.delete_own(alice.actor, PASSWORD)
    for late in (
        core.addresses.create(alice.actor),
        core.addresses.update(alice.actor, alice.address.id, label="late"),
        core.inbox.delete(alice.actor, message.id),
        core.tokens.create(alice.actor, "late", {Scope.MESSAGES_READ}),
        core.idempotency.claim(alice.address.account_id, "0" * 64, fingerprint="0" * 64),
        core.deletion.delete_own(alice.actor, PASSWORD),
    ):
        with pytest.raises(NotFound):
            await late
    with pytest.raises(NotAuthenticated):
        await core.sessions.open(user)


async def test_what_was_written_late_goes_too(core: Core, alice: Customer, clock: Moving) -> None:
    account_id = alice.address.account_id
    await core.deletion.delete_own(alice.actor, PASSWORD)
    await core.purge.work_off()
    await core.refusals.record(POLICY, [refusal(alice.address)])  # mxd had it in memory
    await core.trail.note(replace(alice.actor, origin=ORIGIN), "event.stream")  # it went on until now
    await core.trail.flush()
    assert {name for name, count in (await rows_of(core, account_id)).items() if count} == {
        "account_deletions",
        "addresses",
        "audit_log",
    }
    token = ApiToken("0123456789abcdef", account_id, "late", frozenset(), utc_now(), None)
    async with core.database.write() as connection:
        await api_tokens.add(connection, token, SecretHash(salt="0" * 32, digest="0" * 64))
        await connection.execute(
            insert(schema.audit_places).values(
                audit_id=new_id(), account_id=account_id, salt="0" * 32, client_ip="192.0.2.1", user_agent="late"
            )
        )
    clock.ahead = timedelta(minutes=2)
    assert (await core.purge.work_off()).finished == 1
    assert {name for name, count in (await rows_of(core, account_id)).items() if count} == {"addresses", "audit_log"}
    assert await core.purge.work_off() == await core.purge.work_off()


async def test_mail_that_is_arriving_is_refused(core: Core, alice: Customer, bob: Customer) -> None:
    recipient, deleted = alice.recipient(), asyncio.Event()

    async def arriving(*recipients: Customer) -> list[object]:
        accepted = tuple(AcceptedRecipient(each.address.address, None, each.recipient()) for each in recipients)
        async with core.ingest.begin(Incoming("s@elsewhere.test", accepted, Transport())) as delivery:
            await delivery.feed(mail("late", "late.bin"))
            await deleted.wait()
            return [type(outcome) for outcome in await delivery.finish()]

    alone, both = asyncio.create_task(arriving(alice)), asyncio.create_task(arriving(alice, bob))
    await asyncio.sleep(0)
    await core.deletion.delete_own(alice.actor, PASSWORD)
    deleted.set()
    assert await alone == [NotFound]
    assert await both == [NotFound, type(None)]
    assert [type(outcome) for outcome in await deliver(core, mail("later"), recipient)] == [NotFound]
    assert blobs_in(core) == await blobs_of_rows(core)
    assert len(await bob.messages()) == 1
    assert (await rows_of(core, alice.address.account_id))["messages"] == 0


async def test_a_deletion_amid_a_flood_of_mail(core: Core, alice: Customer, bob: Customer) -> None:
    """Each mail was refused, or removed with the account."""
    deliveries = [
        asyncio.create_task(deliver(core, mail(f"flood {n}", "f.bin"), alice.recipient(), bob.recipient()))
        for n in range(60)
    ]
    await asyncio.wait(deliveries[:5])
    await core.deletion.delete_own(alice.actor, PASSWORD)
    outcomes = await asyncio.gather(*deliveries)
    assert all(his is None for _, his in outcomes)
    assert all(hers is None or isinstance(hers, NotFound) for hers, _ in outcomes)
    await core.purge.work_off()
    assert len(await bob.messages()) == 60
    assert blobs_in(core) == await blobs_of_rows(core)
    left = await rows_of(core, alice.address.account_id)
    assert {name for name, count in left.items() if count} == {"account_deletions", "addresses", "audit_log"}


async def test_two_who_purge_at_once_and_a_third_who_was_stopped(core: Core, alice: Customer, bob: Customer) -> None:
    await asyncio.gather(
        *(deliver(core, mail(f"both {n}", "b.bin"), alice.recipient(), bob.recipient()) for n in range(250))
    )
    await core.deletion.delete_own(alice.actor, PASSWORD)
    await core.deletion.delete_own(bob.actor, PASSWORD)
    with pytest.raises(InterruptedError):
        await core.purge.work_off(_interrupt)
    rounds = await asyncio.gather(core.purge.work_off(), core.purge.work_off())
    assert sum(purged.messages for purged in rounds) == 400
    assert blobs_in(core) == set()
    async with core.database.read() as connection:
        for table in (
            schema.messages,
            schema.contents,
            schema.attachments,
            schema.search_entries,
            schema.blob_deletions,
        ):
            assert (await connection.execute(select(func.count()).select_from(table))).scalar_one() == 0
        assert len(await account_deletions.pending(connection, after="", limit=10)) == 2
        assert await accounts.all_ids(connection) == []


def _interrupt(removed: int) -> None:
    raise InterruptedError(removed)
