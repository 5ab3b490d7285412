"""Accounts and sessions."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from mailkeep.domain.account import Account, Role, User
from mailkeep.domain.deletion import DeletionReceipt
from mailkeep_api.schemas.shapes import In, Instant, Out, Query, Seq

REGISTERED: Final = "Log in now. If this email address had an account before, nothing of it has changed."


class Credentials(In):
    # RFC 5321 section 4.5.3.1.3 for the address. Argon2 must not be fed megabytes.
    email: str = Field(min_length=3, max_length=254, examples=["ada@example.org"])
    password: str = Field(min_length=1, max_length=1024, examples=["a quiet river bends twice"])


class AccountOut(Out):
    """A customer. `email` and `role` are those of whoever logged in, null for a token, which is nobody."""

    id: str
    email: str | None
    role: Role | None
    tier: str
    status: str
    storage_bytes: int
    created_at: Instant

    @classmethod
    def of(cls, account: Account, user: User | None) -> AccountOut:
        return cls(
            id=account.id,
            email=user.email if user is not None else None,
            role=user.role if user is not None else None,
            tier=account.tier,
            status=account.status.value,
            storage_bytes=account.storage_bytes,
            created_at=account.created_at,
        )


class SessionOut(Out):
    token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105  RFC 6749 section 7.1, and no secret
    expires_at: Instant
    account: AccountOut


class RegisteredOut(Out):
    """The same for everybody: whether the e-mail address had an account already is not told."""

    status: Literal["registered"] = "registered"
    detail: str = REGISTERED


class AccountDeletionIn(In):
    """Whoever logged in shows once more that it is them."""

    password: str = Field(min_length=1, max_length=1024, examples=["a quiet river bends twice"])


class ExportQuery(Query):
    after: Seq = Field(default=0, description="only the messages after this `seq`")
    limit: int | None = Field(default=None, ge=1, le=100_000, description="at most so many messages")


class DeletionOut(Out):
    """A receipt; `id` names its record in the audit log.

    `deleted` counts what there was: addresses, messages, refusals, sessions, tokens, users. `kept` says in words
    what remains.
    """

    id: str
    account_id: str
    deleted_at: Instant
    deleted: dict[str, int]
    kept: tuple[str, ...]

    @classmethod
    def of(cls, receipt: DeletionReceipt) -> DeletionOut:
        return cls(
            id=receipt.id,
            account_id=receipt.account_id,
            deleted_at=receipt.deleted_at,
            deleted=dict(receipt.deleted),
            kept=receipt.kept,
        )
