"""A million indexed messages, written into a database in bulk.

Their words come from MODELS blocks of messages, dealt out to the customers, because to make up a million different
texts would take longer than to load them. Rows, sizes and the index are those of real messages; the bodies themselves,
which no search reads, are left out: all messages of a customer have one content.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final
from uuid import UUID

import pymysql
from sqlalchemy import make_url

from mailkeep.domain.mailbox import Mailbox
from mailkeep.mail.search_entry import Searchable, entry_of, with_envelope
from mailkeep.storage.search_blocks import BLOCK, block_of, build_block, complete_blocks, pack

MODELS: Final = 20
VOCABULARY: Final = 5_000
WORDS: Final = 150
RECEIVED: Final = "2026-11-24 09:30:00.000000"
PAGE: Final = 2_000
NEEDLE_SLOT: Final = 137  # of a customer's first block: the oldest there is


@dataclass(frozen=True, slots=True)
class Model:
    """A block of messages: slot → packed entry, and the rows of the block."""

    entries: dict[int, bytes]
    rows: dict[int, bytes]


def load(url: str, *, messages: int, customers: int) -> None:
    """Fill an empty, upgraded database. Customer n has the account `account_id(n)`."""
    rng = random.Random(5321)  # noqa: S311 - words, no secret
    first, *models = [_model(rng, has_needle=number == 0) for number in range(MODELS + 1)]
    each = messages // customers
    with BulkInsert(url) as insert:
        insert("accounts", ((account_id(n), "free", "active", each, 0, RECEIVED) for n in range(customers)))
        insert("addresses", (_address(n) for n in range(customers)))
        insert("contents", (_content(n) for n in range(customers)))
        insert("messages", (_message(n, seq) for n in range(customers) for seq in range(1, each + 1)))
        insert("search_entries", (row for n in range(customers) for row in _entries(n, each, first, models)))
        insert("search_blocks", (row for n in range(customers) for row in _blocks(n, each, first, models)))


def account_id(customer: int) -> str:
    return _id(1, customer)


def _model(rng: random.Random, *, has_needle: bool) -> Model:
    slots = range(1 if has_needle else 0, BLOCK)  # there is no seq 0
    entries = {
        slot: _entry(rng, "needle golden ticket" if has_needle and slot == NEEDLE_SLOT else "") for slot in slots
    }
    return Model(entries, build_block(entries))


def _entry(rng: random.Random, extra: str) -> bytes:
    words = [f"word{int(VOCABULARY ** rng.random())}" for _ in range(WORDS)]
    searchable = Searchable(
        senders=[Mailbox("Example Shop", f"orders{rng.randrange(200)}@shop{rng.randrange(50)}.test")],
        recipients=[Mailbox("", "inbox@mail.test")],
        subject=f"Your order {rng.randrange(100_000)} {words[0]} {words[1]}",
        headers=[("X-Campaign", words[2]), ("Message-ID", f"<{rng.randrange(10**9)}@shop.test>")],
        text=f"Dear customer, this is for everyone: {' '.join(words)} {extra}",
        html=None,
        filenames=["invoice.pdf"] if rng.random() < 0.2 else [],
    )
    return pack(with_envelope(entry_of(searchable), rcpt_to="inbox@mail.test", tag=None))


def _entries(customer: int, each: int, first: Model, models: Sequence[Model]) -> Iterator[tuple[Any, ...]]:
    for seq in range(1, each + 1):
        model = _model_of(customer, block_of(seq), first, models)
        yield account_id(customer), seq, model.entries[seq % BLOCK]


def _blocks(customer: int, each: int, first: Model, models: Sequence[Model]) -> Iterator[tuple[Any, ...]]:
    """In the order of the primary key."""
    blocks = [_model_of(customer, block, first, models) for block in range(complete_blocks(each))]
    for bucket in range(256):
        for block, model in enumerate(blocks):
            if bucket in model.rows:
                yield account_id(customer), bucket, block, model.rows[bucket]


def _model_of(customer: int, block: int, first: Model, models: Sequence[Model]) -> Model:
    return first if block == 0 else models[(customer * 7 + block) % len(models)]


def _address(customer: int) -> tuple[Any, ...]:
    address = f"inbox{customer}@mail.test"
    return _id(2, customer), account_id(customer), address, "", "active", RECEIVED, RECEIVED, customer + 1


def _content(customer: int) -> tuple[Any, ...]:
    recipients = '{"from": [], "to": [], "cc": [], "reply_to": []}'
    return _id(3, customer), "sources/x", "0" * 64, 8_000, "", "[]", recipients, "[]"


def _message(customer: int, seq: int) -> tuple[Any, ...]:
    owner = account_id(customer), _id(2, customer), _id(3, customer)
    words = (
        "sender@elsewhere.test",
        "inbox@mail.test",
        "Example Shop",
        "orders@shop.test",
        "Your order",
        "Dear customer",
    )
    return _id(4, customer * 10**7 + seq), seq, *owner, "0" * 64, *words, 8_000, seq % 5 == 0, RECEIVED, RECEIVED, "{}"


_COLUMNS: Final = {
    "accounts": "id, tier, status, message_seq, storage_bytes, created_at",
    "addresses": "id, account_id, address, label, status, created_at, changed_at, change_seq",
    "contents": "id, source_key, source_sha256, size_bytes, message_id, headers, recipients, defects",
    "attachments": (
        "id, content_id, position, filename, declared_type, detected_type, size_bytes, sha256, disposition, "
        "mime_content_id, blob_key"
    ),
    "messages": (
        "id, seq, account_id, address_id, content_id, delivery_key, mail_from, rcpt_to, from_name, from_address, "
        "subject, snippet, size_bytes, has_attachments, received_at, expires_at, transport"
    ),
    "search_entries": "account_id, seq, words",
    "search_blocks": "account_id, bucket, block, words",
}


class BulkInsert:
    """Gives a function that inserts rows into a table, many at a time."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url)
        self._mark = "?" if self._url.get_backend_name() == "sqlite" else "%s"

    def __enter__(self) -> Any:
        if self._mark == "?":
            self._connection: Any = sqlite3.connect(str(self._url.database))
        else:
            self._connection = pymysql.connect(
                host=self._url.host,
                port=self._url.port or 3306,
                user=self._url.username,
                password=str(self._url.password),
                database=self._url.database,
                init_command="SET SESSION foreign_key_checks=0, unique_checks=0",
            )
        return self._insert

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def _insert(self, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
        columns = _COLUMNS[table]
        marks = ", ".join(self._mark for _ in columns.split(","))
        remaining = iter(rows)
        while page := list(islice(remaining, PAGE)):
            with closing(self._connection.cursor()) as cursor:
                cursor.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", page)  # noqa: S608 - our own names
            self._connection.commit()


def _id(kind: int, number: int) -> str:
    return str(UUID(int=(0x01936000_0000_7000_8000_000000000000 | kind << 120 >> 60) + (kind << 56) + number))
