"""The list of messages, as the inbox shows it alone and the page of a message shows it beside the message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from yarl import URL

from mailkeep.config import Settings
from mailkeep.domain.address import Address
from mailkeep.domain.message import MessageQuery, MessageSummary
from mailkeep_web.visit import MemberVisit

PAGE_SIZE: Final = 50
MAX_ADDRESSES: Final = 200
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class ListFilter:
    """Which part of the list is shown: of one address, older than the seq `before`."""

    address_id: str | None
    before: int | None

    @property
    def query(self) -> str:
        """For the links of the list, which keep to this part of it: empty, or `?address=…`."""
        return self._with(before=self.before)

    def older(self, before: int) -> str:
        return self._with(before=before)

    @property
    def newest(self) -> str:
        return self._with(before=None)

    def _with(self, *, before: int | None) -> str:
        pairs = {"address": self.address_id, "before": before}
        query = urlencode({name: value for name, value in pairs.items() if value is not None})
        return f"?{query}" if query else ""


@dataclass(frozen=True, slots=True)
class MailList:
    """One page of the list, the addresses to filter by, and the seq from which newer mail is announced."""

    filter: ListFilter
    messages: Sequence[MessageSummary]
    next_before: int | None
    addresses: Sequence[Address]
    newest_seq: int

    @property
    def is_live(self) -> bool:
        """New mail belongs to the first page only."""
        return self.filter.before is None

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
    query = MessageQuery(address_id=shown.address_id, before=shown.before, limit=PAGE_SIZE)
    messages, next_before = await visit.core.inbox.list(visit.actor, query)
    addresses, _ = await visit.core.addresses.list(visit.actor, limit=MAX_ADDRESSES)
    return MailList(shown, messages, next_before, addresses, newest_seq)


async def read_filter(visit: MemberVisit) -> ListFilter:
    """Raises NotFound for an address that is not there."""
    address_id = visit.request.query.get("address") or None
    if address_id is not None:
        await visit.core.addresses.get(visit.actor, address_id)
    return ListFilter(address_id=address_id, before=visit.seq("before"))


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
