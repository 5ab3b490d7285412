"""A customer's addresses."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.config import Settings
from mailkeep.domain.address import ROLE_NAMES, SUBADDRESS_SEPARATOR, Address, AddressStatus, canonical_address
from mailkeep.domain.clock import Clock
from mailkeep.domain.ids import new_id
from mailkeep.domain.scope import Actor, Scope
from mailkeep.errors import InvalidInput, LimitReached, NameReserved, NotFound, PreconditionFailed
from mailkeep.services import hints
from mailkeep.services.audit import AuditTrail
from mailkeep.services.hints import Hints
from mailkeep.storage import accounts, addresses, recipients
from mailkeep.storage.accounts import Ledger
from mailkeep.storage.database import Database

MAX_LABEL: Final = 100


class Addresses:
    """Creates, changes and deletes addresses; every change is in the recipients feed when the call returns."""

    def __init__(
        self, database: Database, trail: AuditTrail, hints: Hints, settings: Settings, *, clock: Clock
    ) -> None:
        self._database = database
        self._trail = trail
        self._hints = hints
        self._settings = settings
        self._clock = clock

    async def list(
        self, actor: Actor, *, limit: int = 50, before: str | None = None
    ) -> tuple[list[Address], str | None]:
        """A page, newest first, and the cursor of the next one. Raises NotAllowed."""
        account_id = actor.owner(Scope.ADDRESSES_READ)
        async with self._database.read() as connection:
            found = await addresses.page(connection, account_id, limit=limit + 1, before=before)
        page = list(found[:limit])
        return page, page[-1].id if len(found) > limit else None

    async def get(self, actor: Actor, address_id: str) -> Address:
        """Raises NotFound, NotAllowed."""
        account_id = actor.owner(Scope.ADDRESSES_READ)
        async with self._database.read() as connection:
            return await addresses.get(connection, account_id, address_id)

    async def id_of(self, actor: Actor, address: str) -> str:
        """The id of an address of the actor's, deleted ones included, given as that or as the address itself.

        Raises NotFound, also for what is no address; NotAllowed.
        """
        account_id = actor.owner(Scope.MESSAGES_READ)
        try:
            named = canonical_address(address) if "@" in address else address
        except InvalidInput as error:
            raise NotFound("no such address") from error
        if "@" not in named and not named.isascii():
            raise NotFound("no id of ours looks like this")  # nor does MariaDB compare it with one
        async with self._database.read() as connection:
            return await addresses.id_of(connection, account_id, named)

    async def create(
        self, actor: Actor, *, address: str | None = None, local_part: str | None = None, label: str = ""
    ) -> Address:
        """A new address: the one given, or of the local part given, or a random one.

        Raises InvalidInput, Conflict when it is taken, LimitReached when the tier allows no more, NotAllowed,
        NotFound when the account was deleted meanwhile.
        """
        account_id = actor.owner(Scope.ADDRESSES_WRITE)
        now = self._clock()
        created = Address(
            id=new_id(),
            account_id=account_id,
            address=self._wanted(address, local_part),
            label=_checked_label(label),
            status=AddressStatus.ACTIVE,
            created_at=now,
            changed_at=now,
        )
        async with self._database.write() as connection:
            tier = self._settings.tier((await accounts.lock_one(connection, account_id)).tier)
            if await addresses.count(connection, account_id) >= tier.addresses:
                raise LimitReached(f"the tier {tier.name} allows {tier.addresses} addresses: delete one first")
            await addresses.add(connection, created, change_seq=await recipients.next_change(connection))
            await self._trail.write(connection, actor, "address.create", resource=created.id)
        self._hints.notify(hints.RECIPIENTS)
        return created

    async def update(
        self,
        actor: Actor,
        address_id: str,
        *,
        label: str | None = None,
        active: bool | None = None,
        seen: Address | None = None,
    ) -> Address:
        """Change what is given. An inactive address refuses mail.

        `seen`: what the caller believes it to be. Raises NotFound, InvalidInput, NotAllowed, PreconditionFailed when
        it is something else, LimitReached when the tier allows no more active ones: a smaller tier leaves addresses
        inactive.
        """
        account_id = actor.owner(Scope.ADDRESSES_WRITE)
        async with self._database.write() as connection:
            ledger = await accounts.lock_one(connection, account_id)
            # Then the counter, whose row stays locked: changes of addresses are made one after the other.
            change_seq = await recipients.next_change(connection)
            found = await _as_seen(connection, account_id, address_id, seen)
            changed = replace(found, changed_at=self._clock())
            if label is not None:
                changed = replace(changed, label=_checked_label(label))
            if active is not None:
                changed = replace(changed, status=AddressStatus.ACTIVE if active else AddressStatus.INACTIVE)
            if active and found.status is AddressStatus.INACTIVE:
                await self._require_room(connection, ledger)
            await addresses.change(
                connection,
                account_id,
                address_id,
                change_seq=change_seq,
                changed_at=changed.changed_at,
                label=changed.label,
                status=changed.status,
            )
            await self._trail.write(connection, actor, "address.update", resource=address_id, detail=changed.status)
        self._hints.notify(hints.RECIPIENTS)
        return changed

    async def delete(self, actor: Actor, address_id: str, *, seen: Address | None = None) -> None:
        """Refuse its mail for ever. What it received stays until it expires.

        Raises NotFound, NotAllowed, PreconditionFailed when it is something else than `seen`.
        """
        account_id = actor.owner(Scope.ADDRESSES_WRITE)
        async with self._database.write() as connection:
            change_seq = await recipients.next_change(connection)
            await _as_seen(connection, account_id, address_id, seen)
            now = self._clock()
            await addresses.change(
                connection, account_id, address_id, change_seq=change_seq, changed_at=now, deleted_at=now
            )
            await self._trail.write(connection, actor, "address.delete", resource=address_id)
        self._hints.notify(hints.RECIPIENTS)

    async def _require_room(self, connection: AsyncConnection, ledger: Ledger) -> None:
        """Raises LimitReached when no more addresses of a locked account may be active."""
        tier = self._settings.tier(ledger.tier)
        if await addresses.active_count(connection, ledger.id) >= tier.addresses:
            raise LimitReached(f"the tier {tier.name} allows {tier.addresses} active addresses: switch one off first")

    def _wanted(self, address: str | None, local_part: str | None) -> str:
        if address is not None and local_part is not None:
            raise InvalidInput("give an address or a local part, not both", field="local_part")
        domain = self._settings.mail.domain
        field = "address" if address is not None else "local_part"
        try:
            local_part = str(uuid.uuid4()) if local_part is None else local_part
            wanted = canonical_address(address if address is not None else f"{local_part}@{domain}")
        except InvalidInput as error:
            raise InvalidInput(str(error), field=field) from error
        chosen, _, host = wanted.rpartition("@")
        if host != domain:
            raise InvalidInput(f"addresses are created under {domain}", field=field)
        if SUBADDRESS_SEPARATOR in chosen:
            raise InvalidInput("an address has no + in it: mail to local+tag arrives at local", field=field)
        if chosen in ROLE_NAMES:
            raise NameReserved(f"{chosen}@{host} is for whoever runs {host}: choose another name", field=field)
        return wanted


async def _as_seen(connection: AsyncConnection, account_id: str, address_id: str, seen: Address | None) -> Address:
    found = await addresses.get(connection, account_id, address_id)
    if seen is not None and found != seen:
        raise PreconditionFailed("the address has been changed")
    return found


def _checked_label(label: str) -> str:
    if len(label) > MAX_LABEL or not label.isprintable():
        raise InvalidInput(f"a label is one line of at most {MAX_LABEL} characters", field="label")
    return label.strip()
