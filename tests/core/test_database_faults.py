"""An engine that hangs, refuses or is taken away: an answer in good time, and nothing lost or stored by halves."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import event, text

from core.conftest import POLICY, Customer, deliver, new_customer, settings_for
from mailkeep.bootstrap import Core, open_core
from mailkeep.domain.message import Transport
from mailkeep.errors import DatabaseUnavailable, NotFound, Unavailable
from mailkeep.services.group_commit import GroupCommit
from mailkeep.services.ingest import AcceptedRecipient, Incoming
from mailkeep.storage.contents import NOT_STORABLE
from mailkeep.storage.upgrade import upgrade_schema
from services.daemon import wait_until
from services.mariadb import MariaDb

MAIL: Final = b"Subject: Hello\r\n\r\nHow are you?\r\n"
TIMEOUT_S: Final = 0.5
LOCK: Final = text("SELECT id FROM accounts WHERE id = :id FOR UPDATE")


@dataclass(frozen=True, slots=True)
class Freezer:
    """Stops the server as a hanging disk or host does: connections stay, and nothing answers."""

    server: MariaDb

    def freeze(self, *_: object) -> None:
        """It stands still when this returns: a thread that has a processor of its own goes on for a moment."""
        os.kill(self.server.daemon.pid, signal.SIGSTOP)
        wait_until(self._stands_still, what="the server does not stop")

    def _stands_still(self) -> bool:
        states = Path("/proc", str(self.server.daemon.pid), "task").glob("*/stat")
        try:
            return all(state.read_text("utf-8").rpartition(")")[2].split()[0] == "T" for state in states)
        except FileNotFoundError:
            return False  # a thread ended meanwhile

    def thaw(self) -> None:
        os.kill(self.server.daemon.pid, signal.SIGCONT)


@pytest.fixture
def freezer(mariadb: MariaDb) -> Iterator[Freezer]:
    freezer = Freezer(mariadb)
    yield freezer
    freezer.thaw()


@pytest.fixture
async def hasty(mariadb: MariaDb, freezer: Freezer, tmp_path: Path) -> AsyncIterator[Core]:
    """A core that waits half a second for MariaDB."""
    url = mariadb.create_database()
    settings = settings_for(tmp_path, url, database={"url": url, "timeout_s": TIMEOUT_S, "pool_size": 3})
    await upgrade_schema(settings)
    async with open_core(settings) as core:
        yield core
        freezer.thaw()
    mariadb.drop_database(url)


def before(wanted: str, freeze: Callable[..., None]) -> Callable[..., None]:
    def listener(_connection: Any, _cursor: Any, statement: str, *_: object) -> None:
        if statement.startswith(wanted):
            freeze()

    return listener


@pytest.mark.parametrize("statement", ["SELECT accounts", "INSERT INTO contents", "INSERT INTO messages", "COMMIT"])
async def test_attack_067_a_frozen_engine_is_a_temporary_failure(hasty: Core, freezer: Freezer, statement: str) -> None:
    alice = await new_customer(hasty, "alice@customer.test")
    engine = hasty.database.engine.sync_engine
    name = "commit" if statement == "COMMIT" else "before_cursor_execute"
    listener = freezer.freeze if statement == "COMMIT" else before(statement, freezer.freeze)
    event.listen(engine, name, listener)
    started = time.monotonic()
    outcomes = await asyncio.gather(*(deliver(hasty, MAIL, alice.recipient(), queue_id=f"q{i}") for i in range(5)))
    waited_s = time.monotonic() - started
    event.remove(engine, name, listener)
    freezer.thaw()
    assert all(isinstance(outcome, DatabaseUnavailable) for [outcome] in outcomes)
    assert waited_s < 5 * TIMEOUT_S
    # The client sends them again; a commit that was only not answered is not stored twice.
    again = await asyncio.gather(*(deliver(hasty, MAIL, alice.recipient(), queue_id=f"q{i}") for i in range(5)))
    assert again == [[None]] * 5
    assert [message.seq for message in await alice.messages()] == [1, 2, 3, 4, 5]


async def test_attack_067_a_deadlock_is_a_temporary_failure(hasty: Core) -> None:
    """With a transaction that is not ours, an operator's perhaps: ours lock accounts in one order."""
    alice, bob = [await new_customer(hasty, f"{name}@customer.test") for name in ("alice", "bob")]
    first, second = sorted((alice.recipient(), bob.recipient()), key=lambda recipient: recipient.account_id)
    async with hasty.database.engine.connect() as other:
        await other.execute(text("CREATE TABLE scratch (number INT)"))
        await other.execute(text("INSERT INTO scratch SELECT seq FROM seq_1_to_500"))  # we are the cheaper to give up
        await other.execute(LOCK, {"id": second.account_id})
        delivering = asyncio.create_task(deliver(hasty, MAIL, first, second, queue_id="q"))
        await asyncio.sleep(TIMEOUT_S / 2)  # it holds the first and waits for the second
        await other.execute(LOCK, {"id": first.account_id})
        outcomes = await delivering
        await other.rollback()
    assert {type(outcome) for outcome in outcomes} == {DatabaseUnavailable}
    assert await deliver(hasty, MAIL, first, second, queue_id="q") == [None, None]
    assert [message.seq for customer in (alice, bob) for message in await customer.messages()] == [1, 1]


async def test_attack_067_readers_are_answered_and_the_pool_recovers(hasty: Core, freezer: Freezer) -> None:
    alice = await new_customer(hasty, "alice@customer.test")
    freezer.freeze()
    started = time.monotonic()
    asked = [hasty.recipients.changes(POLICY, 0), *(alice.messages() for _ in range(10))]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert time.monotonic() - started < 5 * TIMEOUT_S
    assert {type(answer) for answer in answers} == {DatabaseUnavailable}
    freezer.thaw()
    assert await asyncio.gather(*(alice.messages() for _ in range(10))) == [[]] * 10


async def test_cancelled_calls_leave_no_connection_behind(core: Core, alice: Customer) -> None:
    async def leave(number: int) -> None:
        calls = [
            asyncio.ensure_future(call)
            for call in (deliver(core, MAIL, alice.recipient()), alice.messages(), core.recipients.changes(POLICY, 0))
        ]
        await asyncio.sleep(number / 5000)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    await asyncio.gather(*(leave(number) for number in range(60)))
    assert await deliver(core, MAIL, alice.recipient()) == [None]
    found = await alice.messages()
    assert [message.seq for message in found] == list(range(1, len(found) + 1))
    checked_out = core.database.engine.pool.checkedout()  # type: ignore[attr-defined]  # of the pools that we use
    assert checked_out == 0


async def refuse_words(core: Core) -> None:
    """A trigger stands for whatever an engine may not like about a sender's words."""
    refuse = "SELECT RAISE(ABORT, 'no')" if core.database.dialect == "sqlite" else "SIGNAL SQLSTATE '45000'"
    for table, column in (("contents", "text"), ("messages", "subject"), ("attachments", "filename")):
        when = f"NEW.{column} LIKE '%poison%'"
        body = f"BEGIN IF {when} THEN {refuse}; END IF; END"
        if core.database.dialect == "sqlite":
            body = f"WHEN {when} BEGIN {refuse}; END"
        async with core.database.write() as connection:
            await connection.execute(
                text(f"CREATE TRIGGER refuse_{table} BEFORE INSERT ON {table} FOR EACH ROW {body}")
            )


@pytest.mark.parametrize(
    "mail",
    [
        b"Subject: a\r\n\r\npoison\r\n",
        b"Subject: poison\r\n\r\nbody\r\n",
        b"Content-Type: application/pdf; name=poison.pdf\r\n\r\n%PDF-1.4\r\n",
    ],
)
async def test_words_that_the_engine_refuses_are_kept_as_source(
    core: Core, alice: Customer, bob: Customer, mail: bytes
) -> None:
    await refuse_words(core)
    outcomes, *others = await asyncio.gather(
        deliver(core, mail, alice.recipient(), bob.recipient()),
        *(deliver(core, MAIL, alice.recipient()) for _ in range(3)),
    )
    assert outcomes == [None, None]
    assert others == [[None]] * 3
    for customer in (alice, bob):
        sources = {await customer.source(message): message for message in await customer.messages()}
        detail = await core.inbox.read(customer.actor, sources[mail].id)
        assert NOT_STORABLE in detail.defects


async def test_what_a_driver_cannot_write_down_hurts_nobody_else(core: Core, alice: Customer) -> None:
    async def deliver_from(sender: str) -> list[Exception | None]:
        recipient = AcceptedRecipient(alice.address.address, None, alice.recipient())
        async with core.ingest.begin(Incoming(sender, (recipient,), Transport())) as delivery:
            await delivery.feed(MAIL)
            return await delivery.finish()

    [broken], *others = await asyncio.gather(
        deliver_from("\udc80@elsewhere.test"), *(deliver(core, MAIL, alice.recipient()) for _ in range(3))
    )
    assert broken is not None
    assert others == [[None]] * 3


async def test_an_account_that_is_gone_hurts_nobody_else(core: Core, alice: Customer) -> None:
    [gone], *others = await asyncio.gather(
        deliver(core, MAIL, alice.recipient(account_id="gone")),
        *(deliver(core, MAIL, alice.recipient()) for _ in range(3)),
    )
    assert gone is not None
    assert others == [[None]] * 3


async def test_a_cancelled_commit_does_not_end_the_group_commit() -> None:
    async def commit(batch: Any) -> list[int]:
        if 0 in batch:
            raise asyncio.CancelledError
        return list(batch)

    group = GroupCommit[int, int](commit, weigh=lambda _: 0)
    async with group.running():
        with pytest.raises(Unavailable):
            await group.submit(0)
        assert await group.submit(1) == 1
    with pytest.raises(Unavailable):
        await group.submit(2)


async def asks_on(customer: Customer) -> None:
    """Until the engine does not answer."""
    while True:
        await customer.core.inbox.latest_seq(customer.actor)
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("waiting", [100])
async def test_many_who_wait_for_a_frozen_engine_do_not_take_the_pool_with_them(
    hasty: Core, freezer: Freezer, waiting: int
) -> None:
    """The pool of three was lost for good: connections came back in the moment in which those who waited gave up."""
    alice = await new_customer(hasty, "alice@customer.test")
    for _ in range(3):
        watchers = [asyncio.create_task(asks_on(alice)) for _ in range(waiting)]
        await asyncio.sleep(0.2)
        freezer.freeze()
        answers = await asyncio.wait_for(asyncio.gather(*watchers, return_exceptions=True), 9)
        assert {type(answer) for answer in answers} == {DatabaseUnavailable}
        freezer.thaw()
        assert await asyncio.gather(*(alice.messages() for _ in range(10))) == [[]] * 10


async def test_an_address_of_other_letters_is_found_and_an_id_of_them_is_not(core: Core, alice: Customer) -> None:
    """MariaDB refuses to compare a column of ASCII with them, which looked as if it were away."""
    created = await core.addresses.create(alice.actor, local_part="zoë")
    assert await core.addresses.id_of(alice.actor, created.address) == created.id
    with pytest.raises(NotFound):
        await core.addresses.id_of(alice.actor, "zoë")
