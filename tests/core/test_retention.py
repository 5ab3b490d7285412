"""What has expired is gone: from every table, from the disk and from the index, and nothing else is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from core.conftest import PASSWORD, POLICY, Customer, deliver, new_customer, settings_for
from core.remains import blobs_in, blobs_of_rows, columns_with
from mailkeep.bootstrap import Core, open_core
from mailkeep.domain.audit import AuditQuery
from mailkeep.domain.clock import utc_now
from mailkeep.domain.message import MessageQuery, MessageSummary
from mailkeep.domain.scope import operator
from mailkeep.errors import NotFound, StorageUnavailable
from mailkeep.storage import account_rows, schema
from mailkeep.storage.blobs.files import FileBlobs
from mailkeep.storage.search_blocks import BLOCK
from mailkeep.storage.upgrade import upgrade_schema
from services.clocks import Moving


@pytest.fixture
def clock() -> Moving:
    return Moving()


@pytest.fixture
async def core(tmp_path: Path, database_url: str, clock: Moving) -> AsyncIterator[Core]:
    settings = settings_for(tmp_path, database_url, retention={"messages_at_once": 7, "pause_ms": 0})
    await upgrade_schema(settings)
    async with open_core(settings, clock=clock) as core:
        yield core


def mail(word: str, *files: str) -> bytes:
    message = EmailMessage()
    message["Subject"] = f"about {word}"
    message.set_content(f"the body of {word}\n")
    for name in files:
        message.add_attachment(f"in {name} of {word}".encode(), "application", "octet-stream", filename=name)
    return message.as_bytes().replace(b"\n", b"\r\n")


async def all_messages(customer: Customer) -> list[MessageSummary]:
    found: list[MessageSummary] = []
    before: int | None = None
    while True:
        page, before = await customer.core.inbox.list(customer.actor, MessageQuery(limit=200, before=before))
        found += page
        if before is None:
            return found


async def receipts(customer: Customer) -> list[str]:
    page, _ = await customer.core.audit.list(customer.actor, AuditQuery(action="message.expire"))
    return [record.detail.partition(" since=")[0] for record in page]


async def expire(core: Core, messages: Sequence[MessageSummary]) -> None:
    ids = [message.id for message in messages]
    async with core.database.write() as connection:
        long_ago = utc_now() - timedelta(seconds=1)
        await connection.execute(
            update(schema.messages).where(schema.messages.c.id.in_(ids)).values(expires_at=long_ago)
        )


async def rows(core: Core) -> dict[str, int]:
    async with core.database.read() as connection:
        return {
            table.name: int((await connection.execute(select(func.count()).select_from(table))).scalar_one())
            for table in schema.metadata.sorted_tables
        }


async def test_attack_104_nothing_is_left_and_nothing_else_is_gone(
    core: Core, alice: Customer, bob: Customer, clock: Moving
) -> None:
    """More than a block of the search index, and a mail that two customers share, which only one of them loses."""
    for start in range(0, BLOCK + 4, 20):
        await asyncio.gather(
            *(deliver(core, mail(f"oldword{n}", "oldfile.bin"), alice.recipient()) for n in range(start, start + 20))
        )
    shared = mail("sharedword", "shared.bin")
    await deliver(core, shared, alice.recipient(), bob.recipient())
    old = await all_messages(alice)
    kept = mail("keptword", "keptfile.bin")
    await deliver(core, kept, alice.recipient())
    await core.indexer.work_off()
    await expire(core, old)
    for message in (old[0], old[-1]):  # not to be reached meanwhile
        for reading in (core.inbox.read(alice.actor, message.id), core.inbox.source(alice.actor, message.id)):
            with pytest.raises(NotFound):
                await reading
    assert [message.subject for message in await all_messages(alice)] == ["about keptword"]

    report = await core.retention.run()
    assert (report.accounts, report.messages, report.bytes) == (1, len(old), sum(each.size_bytes for each in old))
    clock.ahead = timedelta(hours=1, seconds=1)  # deleted words stay in a block for so long
    await core.indexer.work_off()
    traces = {"oldword", "oldfile", *(message.id for message in old)}
    assert await columns_with(core, traces) == set()
    assert blobs_in(core) == await blobs_of_rows(core)
    left = await rows(core)
    assert (left["messages"], left["contents"], left["attachments"], left["search_entries"]) == (2, 2, 2, 2)
    assert left["blob_deletions"] == left["retention_tallies"] == 0
    [mine], [his] = await alice.messages(), await bob.messages()
    assert (await alice.source(mine), await bob.source(his)) == (kept, shared)
    detail = await core.inbox.read(bob.actor, his.id)
    file = await core.inbox.attachment(bob.actor, his.id, detail.attachments[0].id)
    assert b"".join([chunk async for chunk in file.chunks]) == b"in shared.bin of sharedword"
    for customer, message in ((alice, mine), (bob, his)):
        found, _ = await core.inbox.list(customer.actor, MessageQuery(search=core.inbox.understand("body:body")))
        assert [each.id for each in found] == [message.id]
        assert (await core.accounts.get(customer.actor)).storage_bytes == message.size_bytes
    assert await receipts(alice) == [f"messages={report.messages} bytes={report.bytes}"]
    assert await receipts(bob) == []
    await core.sealing.seal()
    assert (await core.verifying.verify(lambda _: None)).finding is None


async def test_attack_104_an_address_and_a_tenant(core: Core, alice: Customer, bob: Customer, clock: Moving) -> None:
    """What an address received goes at its deadline, also when it was deleted; what a tenant had goes at once."""
    gone = await core.addresses.create(alice.actor)
    await deliver(core, mail("aliasword", "alias.bin"), replace(alice, address=gone).recipient())
    await core.addresses.delete(alice.actor, gone.id)
    await deliver(core, mail("tenantword", "tenant.bin"), bob.recipient())
    [message] = await bob.messages()
    await core.deletion.delete_own(bob.actor, PASSWORD)
    with pytest.raises(NotFound):
        await core.inbox.delete(bob.actor, message.id)
    await core.purge.work_off()
    assert await columns_with(core, {"tenantword", "tenant.bin", message.id}) == set()
    clock.ahead = timedelta(days=7, seconds=1)
    assert (await core.retention.run()).messages == 1
    assert await columns_with(core, {"aliasword", "alias.bin"}) == set()
    assert blobs_in(core) == set()


async def test_the_deadline_is_the_tier_s(core: Core, alice: Customer, clock: Moving) -> None:
    await deliver(core, mail("one"), alice.recipient())
    clock.ahead = timedelta(days=6, hours=23)
    assert (await core.retention.run()).messages == 0
    assert await core.retention.count_expired() == 0
    clock.ahead = timedelta(days=7, seconds=1)
    assert await core.retention.count_expired() == 1
    assert (await core.retention.run()).messages == 1
    assert (await core.retention.run()).messages == 0
    assert await receipts(alice) == [f"messages=1 bytes={len(mail('one'))}"]


async def test_a_run_that_stopped_is_finished_by_the_next_with_one_receipt(core: Core, alice: Customer) -> None:
    await asyncio.gather(*(deliver(core, mail(f"m{n}", "f.bin"), alice.recipient()) for n in range(30)))
    old = await all_messages(alice)
    await expire(core, old)
    for stop_at in (7, 14):
        with pytest.raises(InterruptedError):
            await core.retention.run(lambda removed: _interrupt_at(removed, 7))
        assert (await rows(core))["messages"] == 30 - stop_at
        assert await receipts(alice) == []
    report = await core.retention.run()
    assert report.messages == 16
    assert await receipts(alice) == [f"messages=30 bytes={sum(each.size_bytes for each in old)}"]
    assert blobs_in(core) == set()
    assert (await rows(core))["retention_tallies"] == 0


def _interrupt_at(removed: int, limit: int) -> None:
    if removed >= limit:
        raise InterruptedError


async def test_a_receipt_that_is_owed_is_written_by_the_next_run(core: Core, alice: Customer) -> None:
    """A run that was killed right after a full batch, when nothing more was expired."""
    await asyncio.gather(*(deliver(core, mail(f"m{n}"), alice.recipient()) for n in range(7)))
    await expire(core, await all_messages(alice))
    with pytest.raises(InterruptedError):
        await core.retention.run(lambda removed: _interrupt_at(removed, 7))
    assert (await rows(core))["retention_tallies"] == 1
    assert (await core.retention.run()).messages == 0
    [receipt] = await receipts(alice)
    assert receipt.startswith("messages=7 ")


async def test_mail_goes_on_while_two_runs_work(core: Core, alice: Customer, bob: Customer) -> None:
    both = alice.recipient(), bob.recipient()
    await asyncio.gather(*(deliver(core, mail(f"old {n}", "o.bin"), *both) for n in range(60)))
    for customer in (alice, bob):
        await expire(core, await all_messages(customer))
    runs = asyncio.gather(core.retention.run(), core.retention.run())
    outcomes = await asyncio.gather(*(deliver(core, mail(f"new {n}", "n.bin"), *both) for n in range(40)))
    first, second = await runs
    assert outcomes == [[None, None]] * 40
    assert first.messages + second.messages == 120
    assert len(await all_messages(alice)) == len(await all_messages(bob)) == 40
    assert blobs_in(core) == await blobs_of_rows(core)
    assert [drift async for _, found in core.recount.recount(mend=False) for drift in found] == []


async def test_bytes_that_could_not_be_removed_are_removed_by_the_next_run(
    core: Core, alice: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await deliver(core, mail("one", "f.bin"), alice.recipient())
    await expire(core, await all_messages(alice))

    def broken(_: FileBlobs, keys: object) -> None:
        raise StorageUnavailable(f"the disk is gone with {keys}")

    with monkeypatch.context() as patch:
        patch.setattr(FileBlobs, "_delete", broken)
        with pytest.raises(StorageUnavailable):
            await core.retention.run()
    assert (await rows(core))["messages"] == 0
    assert len(blobs_in(core)) == 2
    await core.retention.run()
    assert blobs_in(core) == set()
    assert (await rows(core))["blob_deletions"] == 0


async def test_quota_is_free_again(core: Core, alice: Customer) -> None:
    await deliver(core, mail("one"), alice.recipient())
    await expire(core, await all_messages(alice))
    quota = core.settings.tier("free").storage_bytes
    async with core.database.write() as connection:
        await connection.execute(update(schema.accounts).values(storage_bytes=quota))
    before = await core.recipients.changes(POLICY, 0)
    assert [recipient.over_quota for recipient in before.recipients] == [True]
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:  # who waits for the feed is told
        changed = group.create_task(core.recipients.changes(POLICY, before.cursor, wait_s=60))
        await asyncio.sleep(0.05)
        await core.retention.run()
    assert [recipient.over_quota for recipient in changed.result().recipients] == [False]


async def test_a_new_tier_comes_before_retention(core: Core, alice: Customer, clock: Moving) -> None:
    """What was about to expire when the customer paid is kept for as long as the new tier says."""
    await deliver(core, mail("one"), alice.recipient())
    clock.ahead = timedelta(days=6)
    await core.administration.change(operator(), alice.address.account_id, tier="paid", status=None)
    clock.ahead = timedelta(days=8)
    assert (await core.retention.run()).messages == 0
    await core.redating.work_off()
    assert (await core.retention.run()).messages == 0
    assert len(await all_messages(alice)) == 1
    clock.ahead = timedelta(days=91)
    assert (await core.retention.run()).messages == 1


async def test_old_days_of_usage_go(core: Core, clock: Moving) -> None:
    alice = await new_customer(core, "carol@customer.test")
    await deliver(core, mail("one"), alice.recipient())
    clock.ahead = timedelta(days=402)
    await core.retention.run()
    async with core.database.read() as connection:
        assert await account_rows.count(connection, schema.usage_daily, alice.address.account_id) == 0
