"""The plan of every statement of a search: by an index that begins with the account, and no row of anybody else's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from core.conftest import Customer, deliver, new_customer, settings_for
from core.test_search import fill, find, mail
from mailkeep.bootstrap import Core, open_core
from mailkeep.domain.message import MessageQuery
from mailkeep.services.search import find_page
from mailkeep.storage.search_blocks import BLOCK
from mailkeep.storage.upgrade import upgrade_schema
from services.mariadb import MariaDb
from services.plans import handler_reads, noted_statements, plans_of

OWN = {"messages", "search_entries", "search_blocks"}


@pytest.mark.parametrize("search", ["words", '"some words" -absent', "-other is:unread after:1d", "header:From=sender"])
async def test_no_table_is_scanned(core: Core, alice: Customer, bob: Customer, search: str) -> None:
    await fill(alice, [mail(f"Number {number}", "some words") for number in range(BLOCK + 10)])
    for _ in range(30):
        assert await deliver(core, mail("For Bob", "some words"), bob.recipient()) == [None]
    if core.database.dialect == "mysql":
        async with core.database.read() as connection:
            await connection.execute(text("ANALYZE TABLE messages, search_entries, search_blocks"))
    with noted_statements(core.database) as statements:
        assert await find(bob, search) == ["For Bob"] * 30
        assert len(await find(alice, search)) == 50
    async with core.database.read() as connection:
        plans = await plans_of(connection, statements)
    assert plans
    for plan in plans:
        assert _is_by_index(plan, core.database.dialect), plans


PAGES = [
    MessageQuery(),
    MessageQuery(before=200),
    MessageQuery(after=20),
    MessageQuery(after=20, before=200),
    MessageQuery(address_id="of alice", after=20),
    MessageQuery(address_id="of alice", before=200),
]


async def test_a_page_of_a_list_is_read_by_its_index(core: Core, alice: Customer) -> None:
    """From the cursor on: no row before it, no sorting, and no offset that would walk to its place."""
    await fill(alice, [mail(f"Number {number}", "some words") for number in range(BLOCK)])
    await core.indexer.work_off()  # it has its own statements
    if core.database.dialect == "mysql":
        async with core.database.read() as connection:
            await connection.execute(text("ANALYZE TABLE messages"))
    for page in PAGES:
        query = replace(page, limit=10, address_id=alice.address.id if page.address_id else None)
        with noted_statements(core.database) as statements:
            assert len((await core.inbox.page(alice.actor, query)).items) == 10
        async with core.database.read() as connection:
            plans = await plans_of(connection, statements)
        assert plans
        for plan in plans:
            assert _is_by_index(plan, core.database.dialect), plans
            assert not any(sorting in plan for sorting in ("filesort", "TEMP B-TREE")), plans


def _is_by_index(plan: str, dialect: str) -> bool:
    if dialect == "sqlite" and plan.startswith("CORRELATED SCALAR SUBQUERY"):
        return True  # the line after it says how it is read
    if dialect == "sqlite":
        table = plan.split()[1]
        return plan.startswith("SEARCH") and (table not in OWN or "(account_id=?" in plan)
    # ALL is a scan of the table, index one of an index.
    return not plan.split(": ")[1].startswith(("ALL", "index"))


@pytest.fixture
async def on_mariadb(mariadb: MariaDb, tmp_path: Path) -> AsyncIterator[Core]:
    url = mariadb.create_database()
    settings = settings_for(tmp_path, url)
    await upgrade_schema(settings)
    async with open_core(settings) as core:
        yield core
    mariadb.drop_database(url)


async def test_a_search_reads_no_row_of_another_customer(on_mariadb: Core) -> None:
    """MariaDB counts the rows that it reads: a few for each message of Bob's, none of the hundreds of Alice's."""
    alice = await new_customer(on_mariadb, "alice@customer.test")
    bob = await new_customer(on_mariadb, "bob@customer.test")
    for _ in range(5):
        assert await deliver(on_mariadb, mail("For Bob", "some words"), bob.recipient()) == [None]
    await fill(alice, [mail(f"Number {number}", "some words") for number in range(BLOCK)])
    query = MessageQuery(search=on_mariadb.inbox.understand('words "some words"'))
    assert await _rows_read(bob, query, found=5) < 50


@pytest.mark.parametrize("page", PAGES, ids=str)
async def test_a_page_begins_at_its_cursor(on_mariadb: Core, page: MessageQuery) -> None:
    """However far the cursor is from the newest message: MariaDB would walk there, by an index or not."""
    alice = await new_customer(on_mariadb, "alice@customer.test")
    await fill(alice, [mail(f"Number {number}", "some words") for number in range(BLOCK)])
    async with on_mariadb.database.read() as connection:
        await connection.execute(text("ANALYZE TABLE messages"))
    query = replace(page, limit=10, address_id=alice.address.id if page.address_id else None)
    far = replace(query, before=30) if query.before is not None and query.after is None else query
    assert await _rows_read(alice, far, found=10) < 60


async def _rows_read(customer: Customer, query: MessageQuery, *, found: int) -> int:
    async with customer.core.database.read() as connection:
        before = await handler_reads(connection)
        page = await find_page(connection, customer.address.account_id, query)
        after = await handler_reads(connection)
    assert len(page.items) == found
    return sum(after.values()) - sum(before.values())
