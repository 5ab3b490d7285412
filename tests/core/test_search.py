"""Searches over each engine: what is found, what is not, and by whom."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage

import pytest
from sqlalchemy import func, select

from core.conftest import Customer, deliver
from mailkeep.bootstrap import Core
from mailkeep.domain.message import MessageQuery, MessageSummary
from mailkeep.storage import search_index
from mailkeep.storage.schema import search_blocks, search_entries, search_queue
from mailkeep.storage.search_blocks import BLOCK, BUCKETS, unpack

RICH = b"""\
From: "Anna M=?utf-8?q?=C3=BC?=ller" <anna@shop.test>
To: You <you@mail.test>, Other <other@example.org>
Cc: third@example.org
Subject: =?utf-8?q?Order_17_for_the_caf=C3=A9?=
X-Campaign: Spring sale
List-Id: <news.shop.test>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=m

--m
Content-Type: text/plain; charset=utf-8

Please confirm your order by Friday. \xe6\x9d\xb1\xe4\xba\xac\xe3\x82\xbf\xe3\x83\xaf\xe3\x83\xbc
Total: 100% of a_b, f(x) <= "nine".
--m
Content-Type: application/pdf; name="Invoice-2026.pdf"
Content-Disposition: attachment; filename="Invoice-2026.pdf"

%PDF-1.4
--m--
""".replace(b"\n", b"\r\n")


def mail(subject: str = "", text: str = "", **headers: str) -> bytes:
    message = EmailMessage()
    message["From"] = "Sender <sender@elsewhere.test>"
    message["Subject"] = subject
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    return message.as_bytes()


async def find(customer: Customer, search: str, limit: int = 50) -> list[str]:
    """The subjects of what is found, newest first."""
    query = MessageQuery(search=customer.core.inbox.understand(search), limit=limit)
    found, _ = await customer.core.inbox.list(customer.actor, query)
    return [message.subject for message in found]


async def fill(customer: Customer, sources: Sequence[bytes], *, at_once: int = 50) -> None:
    """Deliver in order of their batches, and make the blocks."""
    for start in range(0, len(sources), at_once):
        some = sources[start : start + at_once]
        outcomes = await asyncio.gather(*(deliver(customer.core, one, customer.recipient()) for one in some))
        assert all(outcome == [None] for outcome in outcomes)
    await customer.core.indexer.work_off()


async def count(core: Core, table: object) -> int:
    async with core.database.read() as connection:
        return int((await connection.execute(select(func.count()).select_from(table))).scalar_one())  # type: ignore[arg-type]  # any table


FOUND = [
    *("order", "ORDER", "cafe", "café", "muller", "Müller", "anna@shop.test", "shop.test", "invoice", "2026.pdf"),
    *(
        "third@example.org",
        "confirm order friday",
        '"confirm your order"',
        "a_b",
        "100%",
        "f(x)",
        "東京",
        "京タワ",
    ),
    *(
        "from:anna",
        'from:"anna müller"',
        "to:other",
        "to:you@mail.test",
        "to:third",
        "subject:cafe",
        'subject:"order 17"',
    ),
    *("body:confirm", "filename:invoice-2026.pdf", "filename:pdf", "header:X-Campaign=spring", "header:x-campaign"),
    *('header:X-Campaign="spring sale"', "header:List-Id=news.shop.test", "header:Subject=café", "has:attachment"),
    *(
        "is:unread",
        "-is:read",
        "larger:100",
        "smaller:10k",
        "after:1d",
        "before:2999-01-01",
        "-before:1d",
        "order -absent",
    ),
    *("東", "-absent", '-"order confirm"', "-from:other", "-header:X-Other", "-subject:confirm", "京"),
]
NOT_FOUND = [
    *(
        "absent",
        "orde",
        "rder",
        '"order confirm"',
        '"17 please"',
        "from:shop2",
        "from:you",
        "subject:confirm",
        "body:17",
    ),
    *(
        "filename:confirm",
        "header:X-Campaign=summer",
        'header:X-Campaign="sale spring"',
        "header:X-Other",
        "tag:ci",
        "spring",
    ),
    *(
        "is:read",
        "-has:attachment",
        "larger:10k",
        "smaller:100",
        "before:1d",
        "after:2999-01-01",
        "order absent",
        "-order",
    ),
    *('-"confirm your order"', "-from:anna", "-header:List-Id", "order -friday", "京東", "大", "to:anna", "campaign"),
]


async def test_each_operator(core: Core, alice: Customer) -> None:
    assert await deliver(core, RICH, alice.recipient()) == [None]
    found = {search: len(await find(alice, search)) for search in FOUND}
    assert [search for search, number in found.items() if number != 1] == []
    not_found = {search: len(await find(alice, search)) for search in NOT_FOUND}
    assert [search for search, number in not_found.items() if number] == []
    assert len(await find(alice, "")) == 1


async def test_blocks_answer_as_entries_do(core: Core, alice: Customer) -> None:
    """The same questions, with the message in a block among many others."""
    await deliver(core, RICH, alice.recipient())
    await fill(alice, [mail(f"Other {number}", "Something else.") for number in range(BLOCK)])
    assert await count(core, search_queue) == 0
    assert await count(core, search_blocks) > 0
    subject = "Order 17 for the café"
    found = {search: await find(alice, search, limit=200) for search in FOUND}
    assert [search for search, subjects in found.items() if subjects[-1:] != [subject] and len(subjects) < 200] == []
    not_found = {search: await find(alice, search, limit=200) for search in NOT_FOUND}
    assert [search for search, subjects in not_found.items() if subject in subjects] == []


async def test_tags_and_the_recipient_of_the_envelope(core: Core, alice: Customer) -> None:
    local_part, _, domain = alice.address.address.partition("@")
    await deliver(core, mail("One"), alice.recipient(), f"{local_part}+ci-42@{domain}")
    await deliver(core, mail("Two"), alice.recipient())
    assert await find(alice, "tag:ci-42") == ["One"]
    assert await find(alice, "-tag:ci-42") == ["Two"]
    assert await find(alice, f"to:{alice.address.address}") == ["Two"]
    assert await find(alice, f"to:{local_part}") == ["Two", "One"]


async def test_html_counts_where_a_reader_sees_it(core: Core, alice: Customer) -> None:
    html = (
        "Subject: {}\r\nContent-Type: text/html\r\n\r\n<style>hidden{{}}</style>"
        "<p>Vis<b>ible</b> text<br>next&amp;line</p><script>var scripted</script><!-- commented --><a href='https://linked.test'>anchor</a>"
    )
    await deliver(core, html.format("Only HTML").encode(), alice.recipient())
    for search in ("visible", '"visible text"', '"next line"', "anchor", "body:anchor"):
        assert await find(alice, search) == ["Only HTML"], search
    for search in ("hidden", "scripted", "commented", "linked", "br"):
        assert await find(alice, search) == [], search
    both = EmailMessage()
    both["Subject"] = "Both"
    both.set_content("Your mail program shows no HTML.")
    both.add_alternative("<p>secret offer</p>", subtype="html")
    await deliver(core, both.as_bytes(), alice.recipient())
    assert await find(alice, "secret offer") == ["Both"]


async def test_attack_080_what_means_something_to_an_engine_is_data(core: Core, alice: Customer) -> None:
    await deliver(core, mail("Plain", "nothing special"), alice.recipient())
    await deliver(core, mail("Odd", "near a plus b' or 1=1; drop table messages"), alice.recipient())
    for search in (
        "pl%",
        "p_ain",
        "plai*",
        "nothing*special*x",
        "NEAR(nothing)",
        'a"b',
        "x' OR 1=1",
        "(a OR b)",
        "+nothing",
    ):
        assert "Plain" not in await find(alice, search) or search == "+nothing", search
    for search in ("+nothing", ">special", "~nothing", "<special@", "nothing)", "special"):
        assert await find(alice, search) == ["Plain"], search
    assert await find(alice, "b' OR 1=1; DROP TABLE messages") == ["Odd"]
    assert len(await alice.messages()) == 2


async def test_the_same_words_of_two_customers(core: Core, alice: Customer, bob: Customer) -> None:
    await deliver(core, mail("Shared", "the same words"), alice.recipient(), bob.recipient())
    await deliver(core, mail("For Bob", "the same words, and bobs own"), bob.recipient())
    assert await find(alice, "same words") == ["Shared"]
    assert await find(alice, "bobs") == []
    assert await find(alice, f"to:{bob.address.address}") == []
    assert await find(bob, "same words") == ["For Bob", "Shared"]


async def test_pages_of_a_search_join_without_gap(core: Core, alice: Customer) -> None:
    await fill(alice, [mail(f"Number {number}", "buzz" if number % 3 else "fizz") for number in range(BLOCK + 50)])
    search = core.inbox.understand("fizz")
    pages = [await core.inbox.list(alice.actor, MessageQuery(search=search, limit=10))]
    while pages[-1][1] is not None:
        pages.append(await core.inbox.list(alice.actor, MessageQuery(search=search, before=pages[-1][1], limit=10)))
    seqs = [message.seq for page, _ in pages for message in page]
    assert seqs == sorted(set(seqs), reverse=True)
    subjects = {message.subject for page, _ in pages for message in page}
    assert subjects == {f"Number {number}" for number in range(0, BLOCK + 50, 3)}
    assert [len(page) for page, _ in pages[:-1]] == [10] * (len(pages) - 1)
    newer, _ = await core.inbox.list(alice.actor, MessageQuery(search=search, after=seqs[20], limit=50))
    assert [message.seq for message in newer] == seqs[:20]


async def test_pages_go_up_without_gap(alice: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over blocks and messages that are in none, also when a page stops before it is full."""
    monkeypatch.setattr("mailkeep.services.search.MAX_EXAMINED", 40)
    monkeypatch.setattr("mailkeep.services.search.MAX_PASSED", 40)
    texts = ["some buzz" if number % 3 else "some fizz" for number in range(BLOCK + 50)]
    await fill(alice, [mail(f"Number {number}", text) for number, text in enumerate(texts)])
    everything = await all_upwards(alice, "is:unread")
    assert [message.seq for message in everything] == list(range(1, BLOCK + 51))
    fizz = [message for message in everything if int(message.subject.split()[1]) % 3 == 0]
    for q in ("fizz", '"some fizz"', "-buzz", "smaller:1m -buzz"):
        assert await all_upwards(alice, q) == fizz, q


async def all_upwards(customer: Customer, q: str) -> list[MessageSummary]:
    """The messages of all pages from the oldest on."""
    query = MessageQuery(search=customer.core.inbox.understand(q), after=0, limit=20)
    found: list[MessageSummary] = []
    while True:
        page = await customer.core.inbox.page(customer.actor, query)
        assert page.items == sorted(page.items, key=lambda message: -message.seq)
        found += reversed(page.items)
        if page.more is None:
            assert page.cursor == BLOCK + 50
            return found
        query = replace(query, after=page.more)


async def test_the_cursor_of_a_page_is_exact(core: Core, alice: Customer) -> None:
    await fill(alice, [mail("One", "fizz")] * 3)
    query = MessageQuery(search=core.inbox.understand("fizz"))
    assert (await core.inbox.page(alice.actor, query)).cursor == 3
    assert (await core.inbox.page(alice.actor, replace(query, before=3))).cursor == 2
    assert (await core.inbox.page(alice.actor, replace(query, before=99))).cursor == 3
    assert (await core.inbox.page(alice.actor, replace(query, before=0))).cursor == 0
    page = await core.inbox.page(alice.actor, replace(query, after=1, limit=1))
    assert ([message.seq for message in page.items], page.more, page.cursor) == ([2], 2, 2)
    page = await core.inbox.page(alice.actor, replace(query, after=99))
    assert (page.items, page.more, page.cursor) == ([], None, 99)


async def test_a_long_search_stops_and_goes_on(core: Core, alice: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailkeep.services.search.MAX_EXAMINED", 10)
    monkeypatch.setattr("mailkeep.services.search.FIRST_CANDIDATES", 10)
    monkeypatch.setattr("mailkeep.services.search.MAX_CANDIDATES", 10)
    await deliver(core, mail("Needle", "one two"), alice.recipient())
    await fill(alice, [mail("Hay", "two one")] * 30)
    search, pages = core.inbox.understand('"one two"'), 0
    before: int | None = None
    found: list[MessageSummary] = []
    while not found:
        found, before = await core.inbox.list(alice.actor, MessageQuery(search=search, before=before))
        pages += 1
    assert [message.subject for message in found] == ["Needle"]
    assert pages > 2


async def test_attack_104_what_is_deleted_leaves_the_index(core: Core, alice: Customer) -> None:
    await fill(alice, [mail(f"Number {number}", "keep" if number else "secretword") for number in range(BLOCK)])
    [secret] = (await core.inbox.list(alice.actor, MessageQuery(search=core.inbox.understand("secretword"))))[0]
    await core.inbox.delete(alice.actor, secret.id)
    assert await find(alice, "secretword") == []
    assert await count(core, search_entries) == BLOCK - 1
    assert await blocks_with(core, alice, "secretword") == 1
    async with core.database.write() as connection:  # an hour later
        await connection.execute(search_queue.update().values(due_at=secret.received_at))
    await core.indexer.work_off()
    assert await blocks_with(core, alice, "secretword") == 0
    assert len(await find(alice, "keep", limit=200)) == 200


async def blocks_with(core: Core, customer: Customer, word: str) -> int:
    """In how many rows of the customer's blocks a word stands."""
    async with core.database.read() as connection:
        blocks = await search_index.blocks_between(
            connection, customer.address.account_id, range(BUCKETS), first=0, last=100
        )
    return sum(f"\n{word} " in unpack(words) for rows in blocks.values() for words in rows.values())


async def test_all_that_a_search_finds_is_deleted(core: Core, alice: Customer, bob: Customer) -> None:
    await fill(alice, [mail(f"Number {number}", "spam" if number % 2 else "ham") for number in range(BLOCK + 10)])
    await deliver(core, mail("For Bob", "spam"), bob.recipient())
    spam = MessageQuery(search=core.inbox.understand("spam"))
    assert await core.bulk.delete_found(alice.actor, spam) == BLOCK // 2 + 5
    assert await find(alice, "spam") == []
    assert len(await find(alice, "ham", limit=200)) == BLOCK // 2 + 5
    assert await find(bob, "spam") == ["For Bob"]
    assert await core.bulk.delete_found(alice.actor, spam) == 0
    assert await core.bulk.delete_found(alice.actor, MessageQuery()) == BLOCK // 2 + 5
    assert (await core.accounts.get(alice.actor)).storage_bytes == 0
    assert await count(core, search_entries) == 1
    async with core.database.write() as connection:
        await connection.execute(search_queue.update().values(due_at=core.inbox._clock() - timedelta(1)))
    await core.indexer.work_off()
    assert (await count(core, search_blocks), await count(core, search_queue)) == (0, 0)
