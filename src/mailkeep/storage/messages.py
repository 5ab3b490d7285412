"""messages: one row a recipient; the owner is in every WHERE."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Row, delete, func, insert, not_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.domain.mailbox import Mailbox
from mailkeep.domain.message import Envelope, MessageQuery, MessageSummary, Transport
from mailkeep.domain.query import Bound, Header, Is, Received, Size, State, Words
from mailkeep.errors import NotFound
from mailkeep.storage.schema import addresses, contents, messages
from mailkeep.storage.search_blocks import pack

NOBODYS: Final = ""  # no account and no address has this id


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message for one recipient, before it has its place in the account."""

    id: str
    account_id: str
    address_id: str
    content_id: str
    delivery_key: str
    mail_from: str
    rcpt_to: str
    tag: str | None
    sender: Mailbox
    subject: str
    snippet: str
    size_bytes: int
    has_attachments: bool
    received_at: datetime
    transport: Transport
    entry: bytes  # in the search index


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message's row: its summary, and what only its own page needs."""

    summary: MessageSummary
    content_id: str
    envelope: Envelope
    transport: Transport


@dataclass(frozen=True, slots=True)
class StoredSize:
    """What its removal needs to know of a message."""

    id: str
    seq: int
    content_id: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class StoredWords:
    """What the search index needs to know of a message beside its content."""

    seq: int
    content_id: str
    rcpt_to: str
    tag: str | None
    subject: str
    sender: Mailbox


# A message with its seq and its time of expiry.
Placed = tuple[NewMessage, int, datetime]


def without_words(new: NewMessage) -> NewMessage:
    """What can be stored of a message whatever its sender wrote."""
    return replace(new, sender=Mailbox("", ""), subject="", snippet="", entry=pack(""))


async def add_all(connection: AsyncConnection, placed: Sequence[Placed]) -> None:
    """Insert messages, each with its seq and its time of expiry."""
    await connection.execute(insert(messages), [_values(new, seq, expires_at) for new, seq, expires_at in placed])


async def delivered_already(
    connection: AsyncConnection, batch: Collection[NewMessage], *, since: datetime
) -> set[tuple[str, str]]:
    """Which (address id, delivery key) of the batch were stored since then."""
    query = select(messages.c.address_id, messages.c.delivery_key).where(
        messages.c.account_id.in_({new.account_id for new in batch}),
        messages.c.address_id.in_({new.address_id for new in batch}),
        messages.c.delivery_key.in_({new.delivery_key for new in batch}),
        messages.c.received_at > since,
    )
    return {(row.address_id, row.delivery_key) for row in await connection.execute(query)}


async def get(connection: AsyncConnection, account_id: str, message_id: str) -> StoredMessage:
    """Raises NotFound, also for another account's message."""
    row = (await connection.execute(_of(account_id).where(messages.c.id == message_id))).one_or_none()
    if row is None:
        raise NotFound(f"no message {message_id}")
    return StoredMessage(
        summary=_summary(row),
        content_id=row.content_id,
        envelope=Envelope(mail_from=row.mail_from, rcpt_to=(row.rcpt_to,)),
        transport=Transport(**row.transport),
    )


async def page(
    connection: AsyncConnection,
    account_id: str,
    query: MessageQuery,
    *,
    seqs: Collection[int] | None = None,
    ascending: bool = False,
) -> list[MessageSummary]:
    """The newest, newest first, or the oldest, oldest first; of these seqs only, where they are given.

    Of a search, the terms that ask for no words.
    """
    statement = _in_order(connection, account_id, query, ascending=ascending)
    statement = statement.limit(query.limit).where(
        *(_condition(term) for term in query.search.terms if not isinstance(term, Words | Header))
    )
    if seqs is not None:
        statement = statement.where(among(messages.c.seq, seqs))
    if query.after is not None:
        statement = statement.where(messages.c.seq > query.after)
    if query.before is not None:
        statement = statement.where(messages.c.seq < query.before)
    return [_summary(row) for row in await connection.execute(statement)]


def among(seq: Column[int], seqs: Collection[int]) -> ColumnElement[bool]:
    """Whether a seq is one of these; where they are all that there are from one to another, said in two numbers."""
    first, last = min(seqs), max(seqs)
    return seq.between(first, last) if last - first + 1 == len(seqs) else seq.in_(seqs)


async def latest_seq(connection: AsyncConnection, account_id: str, *, address_id: str | None = None) -> int:
    """The seq of the newest message, 0 when there is none."""
    statement = select(func.max(messages.c.seq)).where(messages.c.account_id == account_id)
    if address_id is not None:
        statement = statement.where(messages.c.address_id == address_id)
    return int((await connection.execute(statement)).scalar_one() or 0)


async def verdicts(
    connection: AsyncConnection, account_id: str, seqs: Collection[int], terms: Sequence[Is | Received | Size]
) -> dict[int, list[bool]]:
    """Of each of these messages, whether it meets each of the terms."""
    columns = [_condition(term).label(f"meets_{number}") for number, term in enumerate(terms)]
    query = select(messages.c.seq, *columns).where(messages.c.account_id == account_id, messages.c.seq.in_(seqs))
    return {row[0]: [bool(met) for met in row[1:]] for row in await connection.execute(query)}


async def infected(connection: AsyncConnection, account_id: str, message_ids: Collection[str]) -> set[str]:
    """Those of these messages in which a scanner found malware."""
    query = select(messages.c.id).join(contents, contents.c.id == messages.c.content_id)
    query = query.where(messages.c.account_id == account_id, messages.c.id.in_(message_ids), contents.c.malware != "")
    return set((await connection.execute(query)).scalars())


async def set_read(connection: AsyncConnection, account_id: str, message_id: str, *, read_at: datetime | None) -> None:
    condition = messages.c.account_id == account_id, messages.c.id == message_id
    await connection.execute(update(messages).where(*condition).values(read_at=read_at))


async def set_all_read(
    connection: AsyncConnection, account_id: str, message_ids: Collection[str], *, read_at: datetime | None
) -> int:
    """Returns how many were there."""
    condition = messages.c.account_id == account_id, messages.c.id.in_(message_ids)
    return (await connection.execute(update(messages).where(*condition).values(read_at=read_at))).rowcount


async def sizes_of(connection: AsyncConnection, account_id: str, message_ids: Collection[str]) -> list[StoredSize]:
    """Of those that are there and belong to the account."""
    columns = messages.c.id, messages.c.seq, messages.c.content_id, messages.c.size_bytes
    query = select(*columns).where(messages.c.account_id == account_id, messages.c.id.in_(message_ids))
    return [StoredSize(*row) for row in await connection.execute(query)]


async def ids_after(
    connection: AsyncConnection, account_id: str, after: int, *, last: int, limit: int
) -> list[tuple[int, str]]:
    """Seq and id, in the order of the seqs, of messages newer than `after` and up to the seq `last`."""
    condition = messages.c.account_id == account_id, messages.c.seq > after, messages.c.seq <= last
    query = select(messages.c.seq, messages.c.id).where(*condition).order_by(messages.c.seq).limit(limit)
    return [(row.seq, row.id) for row in await connection.execute(query)]


async def nth_seq(connection: AsyncConnection, account_id: str, after: int, nth: int) -> int | None:
    """The seq of the nth message after the seq `after`, None when there are not so many."""
    query = select(messages.c.seq).where(messages.c.account_id == account_id, messages.c.seq > after)
    query = query.order_by(messages.c.seq).offset(nth - 1).limit(1)
    return (await connection.execute(query)).scalar_one_or_none()


async def oldest(connection: AsyncConnection, account_id: str, *, limit: int) -> list[StoredSize]:
    columns = messages.c.id, messages.c.seq, messages.c.content_id, messages.c.size_bytes
    query = select(*columns).where(messages.c.account_id == account_id).order_by(messages.c.seq).limit(limit)
    return [StoredSize(*row) for row in await connection.execute(query)]


async def expired(connection: AsyncConnection, account_id: str, now: datetime, *, limit: int) -> list[StoredSize]:
    """Of an account, what has expired longest first."""
    columns = messages.c.id, messages.c.seq, messages.c.content_id, messages.c.size_bytes
    query = select(*columns).where(messages.c.account_id == account_id, messages.c.expires_at <= now)
    rows = await connection.execute(query.order_by(messages.c.expires_at).limit(limit))
    return [StoredSize(*row) for row in rows]


async def count_expired(connection: AsyncConnection, now: datetime) -> int:
    """Of all accounts: for the operator, who is told how far retention has got."""
    query = select(func.count()).select_from(messages).where(messages.c.expires_at <= now)
    return int((await connection.execute(query)).scalar_one())


async def words_of(connection: AsyncConnection, account_id: str, seqs: Collection[int]) -> list[StoredWords]:
    """Of those that are there."""
    query = select(messages).where(messages.c.account_id == account_id, messages.c.seq.in_(seqs))
    return [
        StoredWords(
            seq=row.seq,
            content_id=row.content_id,
            rcpt_to=row.rcpt_to,
            tag=row.tag,
            subject=row.subject,
            sender=Mailbox(row.from_name, row.from_address),
        )
        for row in await connection.execute(query)
    ]


async def remove(connection: AsyncConnection, account_id: str, message_ids: Collection[str]) -> None:
    condition = messages.c.account_id == account_id, messages.c.id.in_(message_ids)
    await connection.execute(delete(messages).where(*condition))


def _condition(term: Is | Received | Size) -> ColumnElement[bool]:
    found: ColumnElement[bool]
    match term:
        case Is(State.HAS_ATTACHMENT):
            found = messages.c.has_attachments.is_(true())
        case Is(State.READ):
            found = messages.c.read_at.is_not(None)
        case Is():
            found = messages.c.read_at.is_(None)
        case Received(Bound.AFTER, moment):
            found = messages.c.received_at >= moment
        case Received(_, moment):
            found = messages.c.received_at < moment
        case Size(Bound.LARGER, size_bytes):
            found = messages.c.size_bytes > size_bytes
        case Size(_, size_bytes):
            found = messages.c.size_bytes < size_bytes
    return not_(found) if term.negated else found


def _of(account_id: str) -> Any:
    return _with_addresses().where(messages.c.account_id == account_id)


def _with_addresses() -> Any:
    """No join: where there are few addresses MariaDB reads all messages of an account for it, and sorts them."""
    address = select(addresses.c.address).where(addresses.c.id == messages.c.address_id).scalar_subquery()
    return select(messages, address.label("address"))


def _in_order(connection: AsyncConnection, account_id: str, query: MessageQuery, *, ascending: bool) -> Any:
    """Of an account, or of one address of it, by seq.

    MySQL takes an equality for reason enough to walk from the newest message down to the cursor, however far that is.
    Of two ids, of which one is nobody's, it goes by the cursor, and by the index in its whole order. And it is told the
    index: where one account has most of the messages it would read and sort them all.
    """
    has_cursor = query.before is not None or query.after is not None
    owner, value, index = messages.c.account_id, account_id, "uq_messages_account_id_seq"
    statement = _with_addresses()
    if query.address_id is not None:
        statement = statement.where(messages.c.account_id == account_id)
        owner, value, index = messages.c.address_id, query.address_id, "ix_messages_account_id_address_id_seq"
    statement = statement.with_hint(messages, f"FORCE INDEX ({index})", "mysql")
    order = [messages.c.seq]
    if connection.dialect.name == "mysql" and has_cursor:
        statement, order = statement.where(owner.in_((value, NOBODYS))), [owner, messages.c.seq]
    else:
        statement = statement.where(owner == value)
    return statement.order_by(*(column.asc() if ascending else column.desc() for column in order))


def _values(new: NewMessage, seq: int, expires_at: datetime) -> dict[str, Any]:
    return {
        "id": new.id,
        "account_id": new.account_id,
        "seq": seq,
        "address_id": new.address_id,
        "content_id": new.content_id,
        "delivery_key": new.delivery_key,
        "mail_from": new.mail_from,
        "rcpt_to": new.rcpt_to,
        "tag": new.tag,
        "from_name": new.sender.name,
        "from_address": new.sender.address,
        "subject": new.subject,
        "snippet": new.snippet,
        "size_bytes": new.size_bytes,
        "has_attachments": new.has_attachments,
        "received_at": new.received_at,
        "expires_at": expires_at,
        "transport": asdict(new.transport),
    }


def _summary(row: Row[tuple[object, ...]]) -> MessageSummary:
    return MessageSummary(
        id=row.id,
        account_id=row.account_id,
        seq=row.seq,
        address_id=row.address_id,
        address=row.address,
        tag=row.tag,
        sender=Mailbox(row.from_name, row.from_address),
        subject=row.subject,
        snippet=row.snippet,
        received_at=row.received_at,
        expires_at=row.expires_at,
        read_at=row.read_at,
        size_bytes=row.size_bytes,
        has_attachments=row.has_attachments,
    )
