"""Customers: registration and log-in."""

from __future__ import annotations

import re
import uuid
from contextlib import suppress
from dataclasses import replace
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.config import Settings
from mailkeep.domain.account import Account, AccountStatus, Registration, Role, User
from mailkeep.domain.address import Address, AddressStatus
from mailkeep.domain.audit import Origin
from mailkeep.domain.clock import Clock
from mailkeep.domain.ids import new_id
from mailkeep.domain.scope import Actor, Scope, operator
from mailkeep.errors import Conflict, InvalidInput, NotAllowed, NotAuthenticated
from mailkeep.services import hints
from mailkeep.services.audit import AuditTrail
from mailkeep.services.hints import Hints
from mailkeep.services.lockout import Attempt, Lockout
from mailkeep.services.passwords import Passwords, check_length, check_strength
from mailkeep.storage import accounts, addresses, recipients, sessions, users
from mailkeep.storage.database import Database

_EMAIL: Final = re.compile(r"[^@\s\x00-\x1f\x7f<>,;:\"()\[\]\\]{1,64}@[^@\s\x00-\x1f\x7f<>,;:\"()\[\]\\]{1,189}")


class _Unrecognised(NotAuthenticated):
    """`account_id`: whose password it was not, for the audit log alone."""

    def __init__(self, account_id: str | None) -> None:
        super().__init__("the e-mail address or the password is wrong")
        self.account_id = account_id


class Accounts:
    """Makes customers and recognises the people who log in for them."""

    def __init__(
        self,
        database: Database,
        trail: AuditTrail,
        hints: Hints,
        passwords: Passwords,
        lockout: Lockout,
        settings: Settings,
        *,
        clock: Clock,
    ) -> None:
        self._database = database
        self._trail = trail
        self._hints = hints
        self._passwords = passwords
        self._lockout = lockout
        self._settings = settings
        self._clock = clock

    async def register(
        self, email: str, password: str, *, tier: str = "free", origin: Origin | None = None
    ) -> Registration:
        """A new account with its owner and a first address: the operator's way, which says what is wrong.

        Raises InvalidInput for an e-mail address or a password that will not do, Conflict when the e-mail
        address has an account already, ConfigurationError for a tier that is not configured.
        """
        made, password_hash = await self._prepare(email, password, tier)
        async with self._database.write() as connection:
            await self._add(connection, made, password_hash, origin)
        self._hints.notify(hints.RECIPIENTS)
        return made

    async def sign_up(self, email: str, password: str, *, origin: Origin) -> None:
        """Register as `register` does, or do nothing when the e-mail address has an account already.

        Which of the two it was is not told, and takes the same work: the password is hashed, and what an account
        consists of is written, to be taken back if need be. Mailkeep sends no mail, so what remains is this: whoever
        registers an address with a password of his own and can log in with it afterwards knows that it was free, and
        who cannot, that it was taken. That is why registrations are limited for each client, and log-ins too.

        Raises InvalidInput as `register` does, RateExceeded when the client has registered too often.
        """
        async with self._database.read() as connection:
            await self._lockout.check_registration(connection, origin.client_ip)
        made, password_hash = await self._prepare(email, password, "free")
        added = False
        async with self._database.write() as connection:
            await self._lockout.count_registration(connection, origin.client_ip)
            taken = await users.by_email(connection, made.user.email)
            user = replace(made.user, email=f"{made.user.id}@taken.invalid") if taken else made.user
            # Somebody may register the same address at the same moment: the table decides, with a Conflict.
            with suppress(Conflict):
                async with connection.begin_nested() as savepoint:
                    await self._add(connection, replace(made, user=user), password_hash, origin)
                    if taken:
                        await savepoint.rollback()
                    added = not taken
        if not added:  # the owner of a taken one may know that somebody tried
            origin.written = False
            account_id = taken[0].account_id if taken else None
            await self._trail.note(nobody(origin), "account.register", outcome="conflict", account_id=account_id)
        self._hints.notify(hints.RECIPIENTS)

    async def authenticate(self, email: str, password: str, *, origin: Origin | None = None) -> User:
        """Who this is.

        Raises NotAuthenticated, after the same work whether the user exists or not; InvalidInput for a password
        longer than any; RateExceeded after too many failures (see `Lockout`), Unavailable when too many log in.
        """
        origin = origin or Origin()
        try:
            return await self._recognise(email, password, origin)
        except _Unrecognised as error:
            await self._trail.note(
                nobody(origin), "session.open", outcome="not-authenticated", account_id=error.account_id
            )
            raise

    async def change_password(self, actor: Actor, current: str, new: str) -> None:
        """Set a new password; all other sessions of the person end.

        Raises InvalidInput for a wrong current password, which counts as a failed log-in, and for a new one that will
        not do; RateExceeded and Unavailable as `authenticate` does; NotAllowed for a token.
        """
        if actor.account_id is None or actor.user_id is None:
            raise NotAllowed("only for whoever logged in")
        check_length(current, field="current")
        check_strength(new, field="new")
        async with self._database.read() as connection:
            user = await users.get(connection, actor.account_id, actor.user_id)
        try:
            await self._recognise(user.email, current, actor.origin)
        except NotAuthenticated as error:
            raise InvalidInput("not the current password", field="current") from error
        async with self._passwords.turn() as hasher:
            password_hash = await hasher.hash(new)
        async with self._database.write() as connection:
            await users.set_password_hash(connection, user, password_hash)
            await sessions.revoke(connection, user.account_id, user.id, now=self._clock(), but=actor.session_id)
            await self._trail.write(connection, actor, "account.password", resource=user.id)

    async def _recognise(self, email: str, password: str, origin: Origin) -> User:
        check_length(password)
        attempt = Attempt.of(email, origin.client_ip)
        async with self._database.read() as connection:  # who has to wait takes nobody's turn
            await self._lockout.check(connection, attempt)
        async with self._passwords.turn() as hasher:
            async with self._database.read() as connection:  # those before may have failed: no more guesses at once
                await self._lockout.check(connection, attempt)
                found = await users.by_email(connection, email.strip().lower())
            user, password_hash = found or (None, None)
            if not await hasher.verify(password_hash, password) or user is None or password_hash is None:
                await self._lockout.failed(attempt)
                raise _Unrecognised(user.account_id if user is not None else None)
            renewed = await hasher.hash(password) if hasher.needs_rehash(password_hash) else None
        await self._lockout.succeeded(attempt)
        if renewed is not None:
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

    async def _prepare(self, email: str, password: str, tier: str) -> tuple[Registration, str]:
        """What an account consists of, not stored yet, and the hash of the password."""
        self._settings.tier(tier)
        email = canonical_email(email)
        check_strength(password)
        async with self._passwords.turn() as hasher:
            password_hash = await hasher.hash(password)
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
        return Registration(account, user, address), password_hash

    async def _add(
        self, connection: AsyncConnection, made: Registration, password_hash: str, origin: Origin | None
    ) -> None:
        """Raises Conflict when the e-mail address is taken."""
        await accounts.add(connection, made.account)
        await users.add(connection, made.user, password_hash=password_hash)
        await addresses.add(connection, made.address, change_seq=await recipients.next_change(connection))
        # Without a request it is the operator who makes the account.
        actor = operator() if origin is None else made.user.acting(origin)
        account_id = made.account.id
        await self._trail.write(connection, actor, "account.register", resource=account_id, account_id=account_id)


def nobody(origin: Origin) -> Actor:
    """Somebody who could not be recognised, for the audit log."""
    return Actor(scopes=frozenset(), origin=origin)


def canonical_email(email: str) -> str:
    """The one spelling of a log-in's e-mail address. Raises InvalidInput."""
    email = email.strip().lower()
    if not _EMAIL.fullmatch(email) or not email.isprintable():
        raise InvalidInput("not an e-mail address", field="email")
    return email
