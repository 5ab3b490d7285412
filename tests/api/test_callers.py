"""Every route against every kind of caller, from the route table itself: a new route is tested when it is declared."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from api.world import PASSWORD, Customer, World, open_world, settings_in
from mailkeep.domain.scope import CUSTOMER_SCOPES, SERVICE_SCOPES
from mailkeep.services.lockout import WITH_CLIENT
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
    "ServiceTokenIn": {},
    "CheckoutIn": {},
    "AccountDeletionIn": {"password": PASSWORD},
    "MessageChange": {"read": True},
    "PasswordChange": {},
    "TokenIn": {},
    "TokenRotation": {},
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
        "POST /api/v1/billing/webhook",
        "GET /api/v1/openapi.json",
        "GET /problems/{slug}",
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
    assert (await world.ask("GET", "/api/v1/messages", bob)).json["items"] == []
    addresses = (await world.ask("GET", "/api/v1/addresses", bob)).json["items"]
    assert [item["id"] for item in addresses] == [bob.address_id]
    for theirs in (ada.address_id, ada.address):
        answer = await world.ask("GET", "/api/v1/messages", bob, params={"address": theirs})
        assert answer.is_problem(404, "not-found")


async def test_register_log_in_and_log_out(world: World) -> None:
    credentials = {"email": "Grace@Example.org", "password": PASSWORD}
    made = await world.ask("POST", "/api/v1/auth/register", json=credentials)
    assert (made.status, set(made.json)) == (202, {"status", "detail"})

    opened = await world.ask("POST", "/api/v1/auth/login", json=credentials)
    assert opened.status == 200
    assert set(opened.json) == {"token", "token_type", "expires_at", "account"}
    assert opened.json["token_type"] == "bearer"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", opened.json["expires_at"])
    token = opened.json["token"]
    (address,) = (await world.ask("GET", "/api/v1/addresses", token)).json["items"]
    assert address["address"].endswith("@mail.test")
    account = (await world.ask("GET", "/api/v1/account", token)).json
    assert account == opened.json["account"]
    assert (account["tier"], account["status"], account["role"]) == ("free", "active", "owner")

    other = (await world.ask("POST", "/api/v1/auth/login", json=credentials)).json["token"]
    assert (await world.ask("POST", "/api/v1/auth/logout", token)).status == 204
    assert (await world.ask("GET", "/api/v1/account", token)).is_problem(401, "not-authenticated")
    assert (await world.ask("GET", "/api/v1/account", other)).status == 200


async def test_registering_tells_nobody_who_has_an_account(world: World, ada: Customer) -> None:
    before = (await world.ask("GET", "/api/v1/account", ada)).body
    answers = [
        await world.ask("POST", "/api/v1/auth/register", json={"email": email, "password": "some other password"})
        for email in (ada.email, "eve@example.org")
    ]
    taken, free = ((answer.status, answer.body, sorted(answer.headers)) for answer in answers)
    assert taken == free
    assert (await world.ask("GET", "/api/v1/account", ada)).body == before
    for email, status in ((ada.email, 401), ("eve@example.org", 200)):
        credentials = {"email": email, "password": "some other password"}
        assert (await world.ask("POST", "/api/v1/auth/login", json=credentials)).status == status


async def test_a_wrong_log_in_tells_nothing(world: World, ada: Customer) -> None:
    answers = {
        email: [
            await world.ask("POST", "/api/v1/auth/login", json={"email": email, "password": "not the password"})
            for _ in range(6)
        ]
        for email in (ada.email, "x@example.org")
    }
    known, unknown = answers.values()
    assert known[0].is_problem(401, "not-authenticated")
    for one, other in zip(known, unknown, strict=True):
        assert {**one.json, "request_id": ""} == {**other.json, "request_id": ""}
        assert sorted(one.headers) == sorted(other.headers)
    assert known[5].is_problem(429, "rate-exceeded")
    assert int(known[5].headers["Retry-After"]) == int(unknown[5].headers["Retry-After"]) == 1


@pytest.mark.parametrize("password", ["x" * 1_025, "\u00e9" * 600])
async def test_attack_092_a_password_longer_than_any(world: World, ada: Customer, password: str) -> None:
    for email in (ada.email, "x@example.org"):
        answer = await world.ask("POST", "/api/v1/auth/login", json={"email": email, "password": password})
        assert answer.is_problem(422, "invalid-input")
        assert [error["field"] for error in answer.json["errors"]] == ["password"]


async def test_attack_092_one_client_after_another_behind_a_proxy(tmp_path: Path) -> None:
    """Each is counted for itself; what a client writes into X-Forwarded-For counts for nothing (attack 95)."""
    settings = settings_in(tmp_path, auth={"trusted_proxies": ["127.0.0.0/8"]})

    async def guess(world: World, number: int, ip: str) -> int:
        body = {"email": f"{number}@example.org", "password": "wrong"}
        headers = {"X-Forwarded-For": f"203.0.113.{number}, {ip}"}
        return (await world.ask("POST", "/api/v1/auth/login", json=body, headers=headers)).status

    async with open_world(settings) as world:
        got = [await guess(world, number, "198.51.100.7") for number in range(WITH_CLIENT.free + 1)]
        assert got == [401] * WITH_CLIENT.free + [429]
        assert await guess(world, 99, "198.51.100.8") == 401
