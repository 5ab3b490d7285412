"""What a caller may do, and who is calling."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mailkeep.errors import NotAllowed


class Scope(StrEnum):
    """A permission. Customers hold the ones with a colon; services hold the others."""

    MESSAGES_READ = "messages:read"
    MESSAGES_WRITE = "messages:write"
    ADDRESSES_READ = "addresses:read"
    ADDRESSES_WRITE = "addresses:write"
    ACCOUNT_READ = "account:read"
    ACCOUNT_WRITE = "account:write"
    POLICY = "policy"
    WORKER = "worker"
    ADMIN = "admin"


CUSTOMER_SCOPES = frozenset(scope for scope in Scope if ":" in scope)
SERVICE_SCOPES = frozenset(Scope) - CUSTOMER_SCOPES


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever is behind a call. `account_id` is None for a service, which owns no mail."""

    scopes: frozenset[Scope]
    account_id: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    token_id: str | None = None

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
