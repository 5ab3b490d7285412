"""A fault of ours in any handler: a 500 that says nothing but the request's id, in the log and in the audit log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
import pytest_asyncio
import structlog

from api.test_callers import body_of, name, path_of
from api.world import PASSWORD, Customer, World, fresh_core, settings_in, world_of
from mailkeep.bootstrap import Core
from mailkeep.domain.audit import AuditQuery
from mailkeep.domain.scope import SERVICE_SCOPES, Scope, operator
from mailkeep.storage import audit_log
from mailkeep_api.app import ROUTES, create_app
from mailkeep_api.keys import CORE
from mailkeep_api.routing import PUBLIC, Route

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECRET = "hunter2"
# Whoever comes in has to be recognised, and what happens recorded; all else is broken.
WHOLE = {"actor", "trail", "settings", "tiers"}


class Faulty:
    """A core of which every use case fails, once it is asked to."""

    def __init__(self, whole: object) -> None:
        self._whole = whole

    def __getattr__(self, name: str) -> Any:
        if name in WHOLE:
            return getattr(self._whole, name)
        if name in ("sessions", "tokens"):
            return Faulty(getattr(self._whole, name))
        raise RuntimeError(SECRET)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def broken(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[World, Customer]]:
    settings = settings_in(tmp_path_factory.mktemp("faulty"))
    async with fresh_core(settings) as core:
        async with world_of(core, create_app(core, settings)) as world:
            ada = await world.register("ada@example.org")
        app = create_app(core, settings)
        app[CORE] = cast("Core", Faulty(core))
        async with world_of(core, app) as world:
            yield world, ada


# What touches no use case.
UNBROKEN = {
    "GET /api/v1/openapi.json",
    "GET /problems/{slug}",
    "GET /healthz",
}
VALID: dict[str, dict[str, object]] = {
    "Credentials": {"email": "x@example.org", "password": PASSWORD},
    "TokenIn": {"name": "x", "scopes": ["messages:read"]},
    "ServiceTokenIn": {"name": "mx1", "scopes": ["policy"]},
    "PasswordChange": {"current": PASSWORD, "new": "another quiet river"},
}


@pytest.mark.parametrize("route", [route for route in ROUTES if name(route) not in UNBROKEN], ids=name)
async def test_attack_101_a_fault_of_ours(broken: tuple[World, Customer], route: Route) -> None:
    world, ada = broken
    caller = ada.token
    if isinstance(route.scope, Scope) and route.scope in SERVICE_SCOPES:
        caller, _ = await world.core.service_tokens.create(operator(), "test", {route.scope})
    body = valid_body(route)
    with structlog.testing.capture_logs() as events:
        answer = await world.ask(
            route.method, valid_path(route), caller if route.scope is not PUBLIC else None, json=body
        )
    assert answer.is_problem(500, "internal")
    assert set(answer.json) == {"type", "title", "status", "request_id"}
    assert SECRET not in repr(answer)
    assert [event["event"] for event in events if event["log_level"] == "error"] == ["http.failed"]
    await world.core.trail.flush()
    async with world.core.database.read() as connection:
        records = await audit_log.platform_page(connection, AuditQuery(limit=5))
    ours = [record for record in records if record.request_id == answer.headers["X-Request-Id"]]
    assert [(record.action, record.outcome) for record in ours] == [(route.audit, "internal")]
    assert (await world.ask("GET", "/healthz")).status == 200


def valid_path(route: Route) -> str:
    """With the query that the route cannot do without."""
    required = (
        [] if route.query is None else [name for name, it in route.query.model_fields.items() if it.is_required()]
    )
    return path_of(route) + ("?" + "&".join(f"{name}=1" for name in required) if required else "")


def valid_body(route: Route) -> dict[str, object] | None:
    return VALID.get(route.body.__name__, body_of(route)) if route.body is not None else None
