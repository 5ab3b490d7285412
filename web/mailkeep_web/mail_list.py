"""The list of messages, as the inbox shows it alone and the page of a message shows it beside the message."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import urlencode

from yarl import URL

from mailkeep.config import Settings
from mailkeep.domain.address import Address
from mailkeep.domain.message import MessageQuery, MessageSummary
from mailkeep.domain.query import Query
from mailkeep.domain.scope import Scope
from mailkeep.errors import QueryError
from mailkeep_web.visit import MemberVisit

PAGE_SIZE: Final = 50
MAX_ADDRESSES: Final = 200
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class SearchError:
    """What is wrong with a search: its text before the fault, the fault, and after it."""

    message: str
    before: str
    fault: str
    after: str


@dataclass(frozen=True, slots=True)
class ListFilter:
    """Which part of the list is shown: of one address, what a search finds, older than the seq `before`.

    `q` is the search as it was typed. With an `error` nothing is shown.
    """

    address_id: str | None
    before: int | None
    q: str = ""
    search: Query = field(default=Query(()))
    error: SearchError | None = None

    @property
    def query(self) -> str:
        """For the links of the list, which keep to this part of it: empty, or `?address=…`."""
        return _query(address=self.address_id, q=self.q, before=self.before)

    @property
    def found(self) -> MessageQuery:
        """All that this part of the list is of, wherever its page begins."""
        return MessageQuery(address_id=self.address_id, search=self.search)

    def older(self, before: int) -> str:
        return _query(address=self.address_id, q=self.q, before=before)

    def at(self, **more: str | int | None) -> str:
        """`query` with more in it."""
        return _query(address=self.address_id, q=self.q, before=self.before, **more)

    @property
    def newest(self) -> str:
        return _query(address=self.address_id, q=self.q)

    @property
    def without_search(self) -> str:
        return _query(address=self.address_id)


def _query(**parts: str | int | None) -> str:
    query = urlencode({name: value for name, value in parts.items() if value})
    return f"?{query}" if query else ""


@dataclass(frozen=True, slots=True)
class MailList:
    """One page of the list, the addresses to filter by, and the seq from which newer mail is announced.

    `infected` are the ids of its messages in which malware was found.
    """

    filter: ListFilter
    messages: Sequence[MessageSummary]
    next_before: int | None
    addresses: Sequence[Address]
    newest_seq: int
    may_write: bool
    infected: Collection[str]

    @property
    def selectable_seq(self) -> int:
        """The seq up to which "all" is meant: on an older page not what has come since a newer one was shown."""
        if self.filter.before is None:
            return self.newest_seq
        return self.messages[0].seq if self.messages else 0

    @property
    def is_live(self) -> bool:
        """New mail belongs to the first page only."""
        return self.filter.before is None and self.filter.error is None

    @property
    def is_waiting(self) -> bool:
        """Nothing has ever come, as far as this list can tell."""
        return self.is_live and not self.messages and not self.filter.q

    @property
    def shown_address(self) -> Address | None:
        """The address that an empty list offers: the one filtered by, else the newest."""
        wanted = [address for address in self.addresses if self.filter.address_id in (None, address.id)]
        return wanted[0] if wanted else None


async def read_list(visit: MemberVisit) -> MailList:
    """The part of the list that the request's query names. Raises NotFound for an address that is not there."""
    # Before the list is read: what arrives in between is announced, and shown twice by nobody.
    newest_seq = await visit.core.inbox.latest_seq(visit.actor)
    shown = await read_filter(visit)
    messages, next_before = await read_page(visit, shown)
    addresses, _ = await visit.core.addresses.list(visit.actor, limit=MAX_ADDRESSES)
    may_write = Scope.MESSAGES_WRITE in visit.actor.scopes
    infected = await visit.core.inbox.infected(visit.actor, messages)
    return MailList(shown, messages, next_before, addresses, newest_seq, may_write, infected)


async def read_page(visit: MemberVisit, shown: ListFilter) -> tuple[Sequence[MessageSummary], int | None]:
    """The messages of a page, and where the next one begins."""
    if shown.error is not None:
        return (), None
    return await visit.core.inbox.list(visit.actor, replace(shown.found, before=shown.before, limit=PAGE_SIZE))


async def read_filter(visit: MemberVisit) -> ListFilter:
    """Raises NotFound for an address that is not there."""
    address_id = visit.request.query.get("address") or None
    if address_id is not None:
        await visit.core.addresses.get(visit.actor, address_id)
    shown = ListFilter(address_id=address_id, before=visit.seq("before"), q=visit.request.query.get("q", "").strip())
    try:
        return replace(shown, search=visit.core.inbox.understand(shown.q))
    except QueryError as error:
        return replace(shown, error=_search_error(shown.q, error))


def list_query(visit: MemberVisit, **more: str) -> str:
    """The part of the list that the request's query names, as it names it: to lead back there."""
    return _query(**{name: visit.request.query.get(name) for name in ("address", "q", "before")}, **more)


def _search_error(text: str, error: QueryError) -> SearchError:
    end = error.position + error.length
    return SearchError(str(error), text[: error.position], text[error.position : end], text[end:])


def sending_hints(settings: Settings, address: str) -> tuple[str, ...]:
    """Commands that send a first mail to `address`: over this machine's listener when we run on this machine."""
    protocol, listen = ("SMTP", settings.smtp.listen) if settings.smtp.enabled else ("LMTP", settings.lmtp.listen)
    is_here = URL(settings.public_url).host in _LOOPBACK and not listen.startswith("unix:")
    if not is_here:
        return (f"swaks --to {address}",)
    return (
        f"mailkeep mail send --to {address} --{protocol.lower()} {listen}",
        f"swaks --server {listen} --protocol {protocol} --to {address}",
    )
