"""Routes, each declared once: method, path, models, who may call it, and the name of the deed in the audit log.

A route that does not say who may call it cannot be declared: TypeError, when its module is imported.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Required, TypedDict, TypeVar, Unpack, get_type_hints

from aiohttp import web
from pydantic import BaseModel

from mailkeep.bootstrap import Core
from mailkeep.config import Settings
from mailkeep.domain.scope import Actor, Scope


class Access(Enum):
    """Who may call a route that needs no scope."""

    PUBLIC = "public"  # anybody
    SESSION = "session"  # whoever logged in, whatever their role; no token for programs
    OWNER = "owner"  # whoever logged in as the account's owner


PUBLIC: Final = Access.PUBLIC
SESSION: Final = Access.SESSION
OWNER: Final = Access.OWNER
READING: Final = frozenset({"GET", "HEAD"})  # methods that change nothing


@dataclass(frozen=True, slots=True)
class Raw:
    """What a route returns when it is not JSON: the media types of its answer. A download is to be saved."""

    media_types: tuple[str, ...]
    is_download: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One request, on its way to core. `actor` holds no scope on a public route.

    `reply_headers` go with the answer that is rendered from the handler's model.
    """

    core: Core
    settings: Settings
    actor: Actor
    request: web.Request
    reply_headers: dict[str, str] = field(default_factory=dict)


# A handler takes the call, each path parameter as str, and `body` and `query` where they are declared.
Handler = Callable[..., Awaitable[BaseModel | web.StreamResponse | None]]
H = TypeVar("H", bound=Handler)
_PATH_PARAMETER: Final = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A declared route. Raises TypeError when its declaration and its handler's signature disagree.

    `if_match`: the handler heeds If-Match (`etags.seen_by`). `idempotent`: takes an Idempotency-Key. `secret`: its
    answer holds what is shown once, so it is neither kept nor compressed. `signed`: callers are known by what they
    signed, and are not counted; the handler counts those who are not (`rates.admission`). `problems`: the slugs of
    what can go wrong beside what follows from the rest.
    """

    method: str
    path: str
    handler: Handler
    scope: Scope | Access
    audit: str
    returns: type[BaseModel] | Raw | None
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    status: int = 200
    etag: bool = False
    if_match: bool = False
    idempotent: bool = False
    secret: bool = False
    signed: bool = False
    problems: tuple[str, ...] = ()
    tag: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.scope, Scope | Access):
            raise TypeError(f"{self.method} {self.path} declares no scope: a Scope, PUBLIC or SESSION")
        if not self.audit:
            raise TypeError(f"{self.method} {self.path} declares no audit action")
        _check_signature(self)

    @property
    def is_quiet(self) -> bool:
        """Whether the audit log leaves out what goes well: what anybody may read, and what mxd asks all day."""
        return self.scope is Scope.POLICY or (self.scope is PUBLIC and self.method == "GET")

    @property
    def path_parameters(self) -> tuple[str, ...]:
        return tuple(_PATH_PARAMETER.findall(self.path))


def _check_signature(route: Route) -> None:
    hints = get_type_hints(route.handler)
    expected: dict[str, object] = {"call": Call, **dict.fromkeys(route.path_parameters, str)}
    expected |= {name: model for name, model in (("body", route.body), ("query", route.query)) if model is not None}
    declared = {name: hints.get(name) for name in inspect.signature(route.handler).parameters}
    if declared != expected:
        raise TypeError(f"{route.method} {route.path}: the handler takes {declared}, the route gives {expected}")


class _Optional(TypedDict, total=False):
    body: type[BaseModel]
    query: type[BaseModel]
    status: int
    etag: bool
    if_match: bool
    idempotent: bool
    secret: bool
    signed: bool
    problems: tuple[str, ...]


class _Declaration(_Optional):
    """What the decorators take: mypy refuses a route without a scope too."""

    scope: Scope | Access
    audit: str
    returns: type[BaseModel] | Raw | None


class _Deletion(_Optional, total=False):
    scope: Required[Scope | Access]
    audit: Required[str]
    returns: type[BaseModel]


class Routes:
    """A table of routes under one prefix; `tag` groups them in the reference."""

    def __init__(self, prefix: str, *, tag: str) -> None:
        self._prefix = prefix
        self._tag = tag
        self._routes: list[Route] = []

    def __iter__(self) -> Iterator[Route]:
        return iter(self._routes)

    def get(self, path: str, **declaration: Unpack[_Declaration]) -> Callable[[H], H]:
        return self._declare("GET", path, declaration)

    def post(self, path: str, **declaration: Unpack[_Declaration]) -> Callable[[H], H]:
        return self._declare("POST", path, declaration)

    def patch(self, path: str, **declaration: Unpack[_Declaration]) -> Callable[[H], H]:
        return self._declare("PATCH", path, declaration)

    def delete(self, path: str, **declaration: Unpack[_Deletion]) -> Callable[[H], H]:
        """A route that answers 204 when it has done what it was asked, or 200 when it has something to say of that."""
        returns = declaration.get("returns")
        status = 204 if returns is None else 200
        return self._declare("DELETE", path, {"status": status, **declaration, "returns": returns})

    def _declare(self, method: str, path: str, declaration: _Declaration) -> Callable[[H], H]:
        def add(handler: H) -> H:
            route = Route(method=method, path=self._prefix + path, handler=handler, tag=self._tag, **declaration)
            self._routes.append(route)
            return handler

        return add
