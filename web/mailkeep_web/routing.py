"""Pages declare who may see them; here that is enforced, for every page in one place."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace

from aiohttp import web

from mailkeep.bootstrap import Core
from mailkeep.config import Settings
from mailkeep.domain.account import User
from mailkeep.domain.scope import Actor, Scope
from mailkeep.errors import NotAllowed, NotAuthenticated, NotFound
from mailkeep_api.auth import API_TOKEN_PREFIX, actor_of
from mailkeep_api.compression import compressed
from mailkeep_api.ids import is_id
from mailkeep_api.keys import ACTOR, ORIGIN
from mailkeep_api.noting import noted
from mailkeep_api.routing import READING
from mailkeep_web.cookies import admin_token, session_token
from mailkeep_web.origin import require_same_origin
from mailkeep_web.visit import AdminVisit, MemberVisit, Visit

PublicHandler = Callable[[Visit], Awaitable[web.StreamResponse]]
AdminHandler = Callable[[AdminVisit], Awaitable[web.StreamResponse]]
MemberHandler = Callable[[MemberVisit], Awaitable[web.StreamResponse]]
RequestHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class PublicRoute:
    """A page for everybody."""

    method: str
    path: str
    audit: str
    handler: PublicHandler


@dataclass(frozen=True, slots=True)
class MemberRoute:
    """A page for those who are logged in; others are led to the log-in."""

    method: str
    path: str
    audit: str
    handler: MemberHandler


@dataclass(frozen=True, slots=True)
class AdminRoute:
    """A page of the administration; customers are told that they may not, others are led to its door."""

    method: str
    path: str
    audit: str
    handler: AdminHandler


Route = PublicRoute | MemberRoute | AdminRoute


class Routes:
    """The routes of one module of pages; `audit` is what the audit log calls what is done there."""

    def __init__(self) -> None:
        self._routes: list[Route] = []

    def __iter__(self) -> Iterator[Route]:
        return iter(self._routes)

    def public(self, method: str, path: str, *, audit: str) -> Callable[[PublicHandler], PublicHandler]:
        def declare(handler: PublicHandler) -> PublicHandler:
            self._routes.append(PublicRoute(method, path, audit, handler))
            return handler

        return declare

    def member(self, method: str, path: str, *, audit: str) -> Callable[[MemberHandler], MemberHandler]:
        def declare(handler: MemberHandler) -> MemberHandler:
            self._routes.append(MemberRoute(method, path, audit, handler))
            return handler

        return declare

    def admin(self, method: str, path: str, *, audit: str) -> Callable[[AdminHandler], AdminHandler]:
        def declare(handler: AdminHandler) -> AdminHandler:
            self._routes.append(AdminRoute(method, path, audit, handler))
            return handler

        return declare


def bind(route: Route, core: Core, settings: Settings) -> RequestHandler:
    """An aiohttp handler that lets nobody in whom the route does not admit."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.method not in READING:
            require_same_origin(request, settings)
        if not all(is_id(value) for value in request.match_info.values()):
            raise NotFound("no id of ours looks like this")
        if isinstance(route, PublicRoute):
            return await route.handler(Visit(request, core, settings))
        if isinstance(route, AdminRoute):
            actor = await administrator_of(request, core, settings)
            return await route.handler(AdminVisit(request, core, settings, actor=actor))
        token, actor = await session_of(request, core, settings)
        return await route.handler(MemberVisit(request, core, settings, actor=actor, token=token))

    quiet = isinstance(route, PublicRoute) and route.method == "GET"

    async def handle(request: web.Request) -> web.StreamResponse:
        response = await noted(request, route.audit, answer(request), quiet=quiet)
        if request.method not in READING:  # what is shown once is the answer to a form, and is never compressed
            return response
        return await compressed(request, response, media_type="text/html")

    return handle


async def session_of(request: web.Request, core: Core, settings: Settings) -> tuple[str, Actor]:
    """The session in the request's cookie and its actor. Raises NotAuthenticated; an API token is no session."""
    token = session_token(request, settings)
    if not token or token.startswith(API_TOKEN_PREFIX):
        raise NotAuthenticated("no session")
    request[ACTOR] = replace(await actor_of(core, token), origin=request[ORIGIN])
    return token, request[ACTOR]


async def administrator_of(request: web.Request, core: Core, settings: Settings) -> Actor:
    """Whoever has entered the administration with a service token, as the API knows administrators.

    Raises NotAllowed for a customer, NotAuthenticated for nobody, and when the token is over or revoked.
    """
    token = admin_token(request, settings)
    if token is None:
        await session_of(request, core, settings)
        raise NotAllowed("a customer is no administrator")
    request[ACTOR] = replace(await core.tokens.actor(token), origin=request[ORIGIN])
    request[ACTOR].require(Scope.ADMIN)
    return request[ACTOR]


async def is_member(visit: Visit) -> bool:
    """Whether whoever sees a public page is logged in."""
    return await session_user(visit) is not None


async def session_user(visit: Visit) -> User | None:
    """Who sees a public page, when they are logged in."""
    try:
        _, actor = await session_of(visit.request, visit.core, visit.settings)
    except NotAuthenticated:
        return None
    return await visit.core.accounts.user(actor)
