"""What a caller may do, and who is calling."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from mailkeep.domain.audit import ActorKind, Origin
from mailkeep.errors import NotAllowed


class Scope(StrEnum):
    """A permission. Customers hold the ones with a colon; services hold the others."""

    MESSAGES_READ = "messages:read"
    MESSAGES_WRITE = "messages:write"
    ADDRESSES_READ = "addresses:read"
    ADDRESSES_WRITE = "addresses:write"
    ACCOUNT_READ = "account:read"
    ACCOUNT_WRITE = "account:write"
    AUDIT_READ = "audit:read"
    TOKENS_READ = "tokens:read"
    TOKENS_WRITE = "tokens:write"
    POLICY = "policy"
    WORKER = "worker"
    ADMIN = "admin"


CUSTOMER_SCOPES = frozenset(scope for scope in Scope if ":" in scope)
# What a customer's token can hold. Whoever could make tokens with one would keep what he took when that one is revoked.
GRANTABLE_SCOPES = CUSTOMER_SCOPES - {Scope.TOKENS_WRITE}
SERVICE_SCOPES = frozenset(Scope) - CUSTOMER_SCOPES


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever is behind a call, and where it comes from. `account_id` is None for a service, which owns no mail."""

    scopes: frozenset[Scope]
    account_id: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    token_id: str | None = None
    origin: Origin = field(default_factory=Origin, compare=False)

    @property
    def kind(self) -> ActorKind:
        """What the audit log calls it."""
        if self.user_id is not None:
            return ActorKind.USER
        if self.token_id is not None:
            return ActorKind.SERVICE if self.account_id is None else ActorKind.TOKEN
        return ActorKind.NOBODY if self.origin.request_id else ActorKind.OPERATOR

    def require(self, scope: Scope) -> None:
        """Raises NotAllowed when the actor does not hold `scope`."""
        if scope not in self.scopes:
            raise NotAllowed(f"this needs the scope {scope.value}")

    def owner(self, scope: Scope) -> str:
        """The account on which the actor may use `scope`; every customer query starts here.

        Raises NotAllowed for a service, and when the actor does not hold `scope`.
        """
        self.require(scope)
        if self.account_id is None:
            raise NotAllowed("a service token has no account")
        return self.account_id


def operator() -> Actor:
    """Whoever works on the machine itself, who holds the database and the keys anyway. No request brings it."""
    return Actor(scopes=frozenset({Scope.ADMIN}))
