"""Tokens as people read them: what a scope allows, how long one lasts, and how it is used."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Final

from aiohttp import web

from mailkeep.config import Settings
from mailkeep.domain.scope import Scope

SCOPE_WORDS: Final[Mapping[Scope, str]] = {
    Scope.MESSAGES_READ: "Read messages: list, search, wait, open, download",
    Scope.MESSAGES_WRITE: "Change messages: mark as read, delete",
    Scope.ADDRESSES_READ: "Read addresses, and why mail to them was refused",
    Scope.ADDRESSES_WRITE: "Change addresses: create, label, switch off, delete",
    Scope.ACCOUNT_READ: "Read the account: plan, storage",
    Scope.ACCOUNT_WRITE: "Change the account: nothing yet that a program could change",
    Scope.AUDIT_READ: "Read the audit log",
    Scope.TOKENS_READ: "List tokens, without their secrets",
    Scope.POLICY: "What an mxd needs: recipients, and reporting refusals",
    Scope.WORKER: "Putting messages in over HTTP",
    Scope.ADMIN: "Administration: accounts, tokens of services, everybody's audit log",
}
LIFETIMES: Final[Mapping[str, tuple[str, timedelta | None]]] = {
    "1": ("1 day", timedelta(days=1)),
    "7": ("7 days", timedelta(days=7)),
    "30": ("30 days", timedelta(days=30)),
    "90": ("90 days", timedelta(days=90)),
    "365": ("1 year", timedelta(days=365)),
    "never": ("Never", None),
}
OVERLAPS: Final[Mapping[str, tuple[str, timedelta]]] = {
    "0": ("Not at all: it may have leaked", timedelta()),
    "3600": ("1 hour", timedelta(hours=1)),
    "86400": ("1 day", timedelta(days=1)),
    "604800": ("7 days", timedelta(days=7)),
}
DEFAULT_LIFETIME: Final = "90"
DEFAULT_OVERLAP: Final = "3600"
# What a token shows that it can, in the order in which somebody wants to see it.
_EXAMPLES: Final = (
    (Scope.MESSAGES_READ, "/api/v1/messages?limit=5"),
    (Scope.ADDRESSES_READ, "/api/v1/addresses"),
    (Scope.ACCOUNT_READ, "/api/v1/account"),
    (Scope.AUDIT_READ, "/api/v1/audit"),
    (Scope.TOKENS_READ, "/api/v1/tokens"),
    (Scope.ADMIN, "/api/v1/admin/stats"),
)


def scope_words(scope: Scope) -> str:
    return SCOPE_WORDS[scope]


def curl_command(origin: str, text: str, scopes: Collection[Scope]) -> str | None:
    """A command that reads something with the token; None when it reads nothing."""
    path = next((path for scope, path in _EXAMPLES if scope in scopes), None)
    return None if path is None else f"curl -H 'Authorization: Bearer {text}' '{origin}{path}'"


def site_origin(request: web.Request, settings: Settings) -> str:
    """Where this site is: as it is configured, else as the browser has found it."""
    return settings.public_url if settings.http.public_url else f"{request.scheme}://{request.host}"
