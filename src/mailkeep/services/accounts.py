"""Customers: registration and log-in."""

from __future__ import annotations

import re
import uuid
from typing import Final

from mailkeep.config import Settings
from mailkeep.domain.account import Account, AccountStatus, Registration, Role, User
from mailkeep.domain.address import Address, AddressStatus
from mailkeep.domain.audit import Origin
from mailkeep.domain.clock import Clock
from mailkeep.domain.ids import new_id
from mailkeep.domain.scope import Actor, Scope
from mailkeep.errors import InvalidInput, NotAuthenticated
from mailkeep.services import hints
from mailkeep.services.audit import AuditTrail
from mailkeep.services.hints import Hints
from mailkeep.services.passwords import Passwords
from mailkeep.storage import accounts, addresses, recipients, users
from mailkeep.storage.database import Database

_EMAIL: Final = re.compile(r"[^@\s\x00-\x1f\x7f<>,;:\"()\[\]\\]{1,64}@[^@\s\x00-\x1f\x7f<>,;:\"()\[\]\\]{1,189}")


class Accounts:
    """Makes customers and recognises the people who log in for them."""

    def __init__(
        self,
        database: Database,
        trail: AuditTrail,
        hints: Hints,
        passwords: Passwords,
        settings: Settings,
        *,
        clock: Clock,
    ) -> None:
        self._database = database
        self._trail = trail
        self._hints = hints
        self._passwords = passwords
        self._settings = settings
        self._clock = clock

    async def register(
        self, email: str, password: str, *, tier: str = "free", origin: Origin | None = None
    ) -> Registration:
        """A new account with its owner and a first address.

        Raises InvalidInput for an e-mail address or a password that will not do, Conflict when the e-mail
        address has an account already, ConfigurationError for a tier that is not configured.
        """
        self._settings.tier(tier)
        email = canonical_email(email)
        password_hash = await self._passwords.hash(password)
        now = self._clock()
        account = Account(id=new_id(), tier=tier, status=AccountStatus.ACTIVE, storage_bytes=0, created_at=now)
        user = User(id=new_id(), account_id=account.id, email=email, role=Role.OWNER, created_at=now)
        address = Address(
            id=new_id(),
            account_id=account.id,
            address=f"{uuid.uuid4()}@{self._settings.mail.domain}",
            label="",
            status=AddressStatus.ACTIVE,
            created_at=now,
            changed_at=now,
        )
        async with self._database.write() as connection:
            await accounts.add(connection, account)
            await users.add(connection, user, password_hash=password_hash)
            await addresses.add(connection, address, change_seq=await recipients.next_change(connection))
            await self._trail.write(connection, user.acting(origin), "account.register", resource=account.id)
        self._hints.notify(hints.RECIPIENTS)
        return Registration(account, user, address)

    async def authenticate(self, email: str, password: str, *, origin: Origin | None = None) -> User:
        """Who this is. Raises NotAuthenticated, after the same time whether the user exists or not."""
        async with self._database.read() as connection:
            found = await users.by_email(connection, email.strip().lower())
        user, password_hash = found or (None, None)
        if not await self._passwords.verify(password_hash, password) or user is None or password_hash is None:
            nobody = Actor(scopes=frozenset(), origin=origin or Origin())
            account_id = user.account_id if user is not None else None
            await self._trail.note(nobody, "session.open", outcome="not-authenticated", account_id=account_id)
            raise NotAuthenticated("the e-mail address or the password is wrong")
        if self._passwords.needs_rehash(password_hash):
            renewed = await self._passwords.hash(password)
            async with self._database.write() as connection:
                await users.set_password_hash(connection, user, renewed)
        return user

    async def get(self, actor: Actor) -> Account:
        """The actor's account. Raises NotAllowed without `account:read`."""
        account_id = actor.owner(Scope.ACCOUNT_READ)
        async with self._database.read() as connection:
            return await accounts.get(connection, account_id)

    async def user(self, actor: Actor) -> User:
        """The person behind a session. Raises NotFound for a token, which is nobody; NotAllowed as `get` does."""
        account_id = actor.owner(Scope.ACCOUNT_READ)
        async with self._database.read() as connection:
            return await users.get(connection, account_id, actor.user_id or "")


def canonical_email(email: str) -> str:
    """The one spelling of a log-in's e-mail address. Raises InvalidInput."""
    email = email.strip().lower()
    if not _EMAIL.fullmatch(email) or not email.isprintable():
        raise InvalidInput("not an e-mail address", field="email")
    return email
