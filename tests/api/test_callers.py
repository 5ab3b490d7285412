"""Every route against every kind of caller, from the route table itself: a new route is tested when it is declared."""

from __future__ import annotations

import re

from api.world import PASSWORD, Customer, World
from mailkeep.domain.scope import CUSTOMER_SCOPES, SERVICE_SCOPES
from mailkeep_api.app import ROUTES
from mailkeep_api.routing import PUBLIC, Route

MAIL = b"From: s@example.org\r\nSubject: hello\r\n\r\nbody\r\n"
GUARDED = [route for route in ROUTES if route.scope is not PUBLIC]
OWNED = [route for route in ROUTES if route.path_parameters and route.scope not in SERVICE_SCOPES]
BODIES: dict[str, dict[str, object]] = {
    "Credentials": {},
    "AddressIn": {},
    "AddressChange": {},
    "AccountChange": {},
    "MessageChange": {"read": True},
    "RefusalsIn": {"items": []},
}


def name(route: Route) -> str:
    return f"{route.method} {route.path}"


def body_of(route: Route) -> dict[str, object] | None:
    return BODIES[route.body.__name__] if route.body is not None else None


def path_of(route: Route, **ids: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: ids.get(match[1], "0"), route.path)


def test_only_these_routes_are_public() -> None:
    public = {name(route) for route in ROUTES if route.scope is PUBLIC}
    assert public == {
        "POST /api/v1/auth/register",
        "POST /api/v1/auth/login",
        "GET /api/v1/openapi.json",
        "GET /healthz",
        "GET /readyz",
    }


async def test_nobody(world: World) -> None:
    for header in (None, "Basic YTpi", "Bearer", "Bearer  ", "Bearer mk_x_y", "Bearer a.b.c", "Bearer \xe4"):
        headers = {"Authorization": header} if header is not None else {}
        for route in GUARDED:
            answer = await world.ask(route.method, path_of(route), json=body_of(route), headers=headers)
            assert answer.is_problem(401, "not-authenticated"), name(route)
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_two_credentials_are_none(world: World, ada: Customer) -> None:
    headers = [("Authorization", f"Bearer {ada.token}")] * 2
    async with world.client.get(f"{world.url}/api/v1/account", headers=headers) as response:
        assert response.status == 401


async def test_the_wrong_scope(world: World, ada: Customer, policy_token: str) -> None:
    for route in GUARDED:
        caller = ada if route.scope in SERVICE_SCOPES else policy_token
        answer = await world.ask(route.method, path_of(route), caller, json=body_of(route))
        assert answer.is_problem(403, "not-allowed"), name(route)
        if route.scope in CUSTOMER_SCOPES:
            assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


async def test_attack_077_another_customers_ids(world: World, ada: Customer, bob: Customer) -> None:
    await world.deliver(MAIL, ada)
    ids = {"address_id": ada.address_id, "message_id": await world.only_message(ada), "attachment_id": ada.address_id}
    for route in OWNED:
        for known in (
            ids,
            {},
            dict.fromkeys(ids, "x" * 65),
            dict.fromkeys(ids, "%00"),
            dict.fromkeys(ids, "%F0%9F%98%80"),
        ):
            answer = await world.ask(route.method, path_of(route, **known), bob, json=body_of(route))
            assert answer.is_problem(404, "not-found"), name(route)
    assert (await world.ask("GET", f"/api/v1/messages/{ids['message_id']}", ada)).status == 200
    assert (await world.ask("GET", f"/api/v1/addresses/{ada.address_id}", ada)).json["status"] == "active"


async def test_a_list_holds_ones_own_alone(world: World, ada: Customer, bob: Customer) -> None:
    await world.deliver(MAIL, ada)
    assert (await world.ask("GET", "/api/v1/messages", bob)).json == {"items": [], "next": None}
    addresses = (await world.ask("GET", "/api/v1/addresses", bob)).json["items"]
    assert [item["id"] for item in addresses] == [bob.address_id]
    for theirs in (ada.address_id, ada.address):
        answer = await world.ask("GET", "/api/v1/messages", bob, params={"address": theirs})
        assert answer.is_problem(404, "not-found")


async def test_register_log_in_and_log_out(world: World) -> None:
    credentials = {"email": "Grace@Example.org", "password": PASSWORD}
    made = (await world.ask("POST", "/api/v1/auth/register", json=credentials)).json
    assert set(made) == {"token", "token_type", "expires_at", "account", "address"}
    assert made["token_type"] == "bearer"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", made["expires_at"])
    assert made["address"]["address"].endswith("@mail.test")

    again = await world.ask("POST", "/api/v1/auth/register", json=credentials)
    assert again.is_problem(409, "conflict")

    opened = await world.ask("POST", "/api/v1/auth/login", json=credentials)
    assert opened.status == 200
    token = opened.json["token"]
    account = (await world.ask("GET", "/api/v1/account", token)).json
    assert account == opened.json["account"]
    assert (account["tier"], account["status"], account["role"]) == ("free", "active", "owner")

    assert (await world.ask("POST", "/api/v1/auth/logout", token)).status == 204
    assert (await world.ask("GET", "/api/v1/account", token)).is_problem(401, "not-authenticated")
    assert (await world.ask("GET", "/api/v1/account", made["token"])).status == 200


async def test_a_wrong_log_in_tells_nothing(world: World, ada: Customer) -> None:
    known = await world.ask("POST", "/api/v1/auth/login", json={"email": ada.email, "password": "not the password"})
    unknown = await world.ask("POST", "/api/v1/auth/login", json={"email": "x@example.org", "password": "not the one"})
    assert known.is_problem(401, "not-authenticated")
    assert {**known.json, "request_id": ""} == {**unknown.json, "request_id": ""}
