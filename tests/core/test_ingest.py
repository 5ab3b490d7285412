"""Mail coming in: stored once, in order, whole or not at all."""

from __future__ import annotations

import asyncio
import os
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from core.conftest import POLICY, Customer, deliver, new_customer, settings_for
from mailkeep.bootstrap import Core, open_core
from mailkeep.domain.message import MessageQuery, Transport
from mailkeep.errors import MessageTooLarge, StorageUnavailable
from mailkeep.services.ingest import AcceptedRecipient, Incoming
from mailkeep.storage.schema import attachments, contents, messages
from mailkeep.storage.upgrade import upgrade_schema

MAIL = b"From: Anna <anna@elsewhere.test>\r\nSubject: Hello\r\n\r\nHow are you?\r\n"


async def count(core: Core, table: object) -> int:
    async with core.database.read() as connection:
        return int((await connection.execute(select(func.count()).select_from(table))).scalar_one())  # type: ignore[arg-type]  # any table


def files_of(core: Core) -> list[Path]:
    return [path for path in core.settings.blob_dir.rglob("*") if path.is_file()]


async def test_a_message_is_readable_when_it_is_stored(core: Core, alice: Customer) -> None:
    assert await deliver(core, MAIL, alice.recipient()) == [None]
    [message] = await alice.messages()
    assert (message.seq, message.subject, message.sender.name, message.snippet) == (1, "Hello", "Anna", "How are you?")
    assert message.expires_at - message.received_at == timedelta(days=7)
    assert await alice.source(message) == MAIL


async def test_one_content_for_two_customers_each_sees_its_own(core: Core, alice: Customer, bob: Customer) -> None:
    assert await deliver(core, MAIL, alice.recipient(), bob.recipient()) == [None, None]
    assert (await count(core, contents), await count(core, messages)) == (1, 2)
    [for_alice], [for_bob] = await alice.messages(), await bob.messages()
    detail = await core.inbox.read(alice.actor, for_alice.id)
    assert detail.envelope.rcpt_to == (alice.address.address,)
    assert for_bob.address == bob.address.address


async def test_seq_has_no_gap_whatever_arrives_together(core: Core, alice: Customer, bob: Customer) -> None:
    both = [alice.recipient(), bob.recipient()]
    work = [deliver(core, MAIL, *both) for _ in range(20)] + [deliver(core, MAIL, both[0]) for _ in range(20)]
    assert all(outcome is None for outcomes in await asyncio.gather(*work) for outcome in outcomes)
    assert [message.seq for message in await alice.messages()] == list(range(1, 41))
    assert [message.seq for message in await bob.messages()] == list(range(1, 21))
    assert (await core.accounts.get(alice.actor)).storage_bytes == 40 * len(MAIL)


async def test_a_second_delivery_of_the_same_mail_is_stored_once(core: Core, alice: Customer, bob: Customer) -> None:
    """Attack case 27: our reply was lost, Postfix sends it again under the same queue id."""
    assert await deliver(core, MAIL, alice.recipient(), queue_id="mx/4ABC") == [None]
    assert await deliver(core, MAIL, alice.recipient(), bob.recipient(), queue_id="mx/4ABC") == [None, None]
    assert (len(await alice.messages()), len(await bob.messages())) == (1, 1)
    assert await deliver(core, MAIL, alice.recipient(), bob.recipient(), queue_id="mx/4ABC") == [None, None]
    assert len(files_of(core)) == 2  # of the third delivery nothing is left


async def test_the_same_mail_under_another_queue_id_is_another(core: Core, alice: Customer) -> None:
    for queue_id in ("mx/4ABC", "mx/4DEF", "", ""):
        assert await deliver(core, MAIL, alice.recipient(), queue_id=queue_id) == [None]
    assert len(await alice.messages()) == 4


async def test_the_top_received_field_names_the_queue_id(core: Core, alice: Customer) -> None:
    trace = b"Received: from a.test (a.test [192.0.2.1])\r\n\tby mx.test (Postfix) with ESMTPS id 4XyZ12345;\r\n"
    for _ in range(2):
        assert await deliver(core, trace + MAIL, alice.recipient()) == [None]
    assert len(await alice.messages()) == 1


async def test_two_tags_of_one_address_are_two_messages(core: Core, alice: Customer) -> None:
    local_part, _, domain = alice.address.address.partition("@")
    named = [f"{local_part}+{tag}@{domain}" for tag in ("one", "two")]
    recipient = alice.recipient()
    assert await deliver(core, MAIL, recipient, named[0], recipient, named[1], queue_id="mx/4ABC") == [None, None]
    assert [message.tag for message in await alice.messages()] == ["one", "two"]


async def test_attack_002_a_failing_recipient_hurts_nobody_else(core: Core, alice: Customer, bob: Customer) -> None:
    """The second recipient's address is unknown to the database: its row cannot be stored."""
    broken = replace(bob.recipient(), address_id="no such address")
    neighbours = [deliver(core, MAIL, alice.recipient()) for _ in range(5)]
    outcomes, *others = await asyncio.gather(
        deliver(core, MAIL, alice.recipient(), broken, bob.recipient()), *neighbours
    )
    assert [outcome is None for outcome in outcomes] == [True, False, True]
    assert others == [[None]] * 5
    assert [message.seq for message in await alice.messages()] == list(range(1, 7))
    assert len(await bob.messages()) == 1


async def test_an_account_that_is_gone_is_a_temporary_failure(core: Core, alice: Customer) -> None:
    [outcome] = await deliver(core, MAIL, alice.recipient(account_id="gone"))
    assert outcome is not None
    assert await count(core, contents) == 0


async def test_no_row_without_its_blob(core: Core, alice: Customer) -> None:
    """The blob directory turned into a file: nothing can be written there, whoever we are."""
    shutil.rmtree(core.settings.blob_dir)
    core.settings.blob_dir.write_bytes(b"")
    [outcome] = await deliver(core, MAIL, alice.recipient())
    assert isinstance(outcome, StorageUnavailable)
    assert await count(core, messages) == 0


async def test_what_is_abandoned_leaves_nothing(core: Core, alice: Customer) -> None:
    recipient = AcceptedRecipient(alice.address.address, None, alice.recipient())
    head = b"Content-Type: application/zip\r\n\r\n"
    async with core.ingest.begin(Incoming("", (recipient,), Transport())) as delivery:
        await delivery.feed(head)
        for _ in range(10):
            await delivery.feed(os.urandom(60_000))
        assert files_of(core)
    assert files_of(core) == []
    assert await alice.messages() == []


async def test_attachments_over_the_limit_are_refused(core: Core, alice: Customer) -> None:
    with pytest.raises(MessageTooLarge):
        await deliver(core, b"Content-Type: application/zip\r\n\r\n" + bytes(27 * 1024 * 1024), alice.recipient())
    assert files_of(core) == []


async def test_the_last_message_takes_the_bytes_with_it(core: Core, alice: Customer, bob: Customer) -> None:
    mail = b"Content-Type: image/png; name=a.png\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n"
    await deliver(core, mail, alice.recipient(), bob.recipient())
    [for_alice], [for_bob] = await alice.messages(), await bob.messages()
    await core.inbox.delete(alice.actor, for_alice.id)
    assert len(files_of(core)) == 2
    assert (await core.accounts.get(alice.actor)).storage_bytes == 0
    await core.inbox.delete(bob.actor, for_bob.id)
    assert files_of(core) == []
    assert [await count(core, table) for table in (contents, messages, attachments)] == [0, 0, 0]


async def test_a_full_account_is_told_to_the_door(tmp_path: Path, database_url: str) -> None:
    settings = settings_for(tmp_path, database_url, tiers={"free": {"storage_mb": 1}})
    await upgrade_schema(settings)
    async with open_core(settings) as core:
        alice = await new_customer(core, "alice@customer.test")
        before = await core.recipients.changes(POLICY, 0)
        assert [recipient.over_quota for recipient in before.recipients] == [False]
        await deliver(core, b"Subject: big\r\n\r\n" + b"x" * 1024 * 1024, alice.recipient())
        changed = await core.recipients.changes(POLICY, before.cursor)
        assert [recipient.over_quota for recipient in changed.recipients] == [True]
        [message] = await alice.messages()
        await core.inbox.delete(alice.actor, message.id)
        changed = await core.recipients.changes(POLICY, changed.cursor)
        assert [recipient.over_quota for recipient in changed.recipients] == [False]


async def test_waiting_ends_when_mail_arrives(core: Core, alice: Customer) -> None:
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        waiting = group.create_task(core.waits.wait(alice.actor, MessageQuery(), count=1, timeout_s=60))
        await asyncio.sleep(0.05)
        await deliver(core, MAIL, alice.recipient())
    assert not waiting.result().timed_out
    assert (await core.waits.wait(alice.actor, MessageQuery(after=1), count=1, timeout_s=0.01)).timed_out


async def test_a_delivery_given_up_in_haste_is_no_longer_under_way(core: Core, alice: Customer) -> None:
    """Its session was cancelled while the spools were given up; what is noted at a crash was really going on."""
    recipient = AcceptedRecipient(alice.address.address, None, alice.recipient())
    free = core.ingest._underway._free
    before = len(free)
    delivery = core.ingest.begin(Incoming("", (recipient,), Transport(), queue_id="mx.test/4XyZ12345"))
    await delivery.feed(b"Subject: x\r\n\r\n")
    await delivery.feed(b"x" * 60_000)
    assert len(free) == before - 1
    giving_up = asyncio.create_task(delivery.abandon())
    await asyncio.sleep(0)
    giving_up.cancel()
    await asyncio.gather(giving_up, return_exceptions=True)
    assert len(free) == before
