"""/auth/sessions and /auth/password, as a program sees them."""

from __future__ import annotations

from api.world import PASSWORD, Customer, World

SESSIONS = "/api/v1/auth/sessions"
LOG_IN = "/api/v1/auth/login"
CHANGE = {"current": PASSWORD, "new": "another river bends once"}


async def log_in(world: World, customer: Customer, password: str = PASSWORD, **headers: str) -> str:
    body = {"email": customer.email, "password": password}
    answer = await world.ask("POST", LOG_IN, json=body, headers=headers)
    assert answer.status == 200, answer
    return str(answer.json["token"])


async def test_sessions_are_listed_and_ended(world: World, ada: Customer, bob: Customer) -> None:
    token = await log_in(world, ada, **{"User-Agent": "ci/1.0"})
    items = (await world.ask("GET", SESSIONS, token)).json["items"]
    assert [item["current"] for item in items] == [True, False]
    assert (items[0]["client_ip"], items[0]["user_agent"]) == ("127.0.0.1", "ci/1.0")
    assert set(items[0]) == {
        "id", "current", "created_at", "expires_at", "last_seen_at", "client_ip", "user_agent",
    }  # fmt: skip
    page = await world.ask("GET", f"{SESSIONS}?limit=1", token)
    assert page.json["next"] == items[0]["id"]
    assert 'rel="next"' in page.headers["Link"]

    path = f"{SESSIONS}/{items[1]['id']}"
    assert (await world.ask("DELETE", path, bob)).is_problem(404, "not-found")
    assert (await world.ask("DELETE", path, token)).status == 204
    assert (await world.ask("GET", "/api/v1/account", ada)).is_problem(401, "not-authenticated")
    assert (await world.ask("DELETE", path, token)).is_problem(404, "not-found")


async def test_all_others_end_and_with_all_this_one_too(world: World, ada: Customer) -> None:
    token = await log_in(world, ada)
    assert (await world.ask("DELETE", SESSIONS, token)).json == {"ended": 1}
    assert (await world.ask("GET", "/api/v1/account", ada)).status == 401
    await log_in(world, ada)
    assert (await world.ask("DELETE", f"{SESSIONS}?all=1", token)).json == {"ended": 2}
    assert (await world.ask("GET", "/api/v1/account", token)).status == 401


async def test_attack_089_a_new_password_ends_the_other_sessions_at_once(world: World, ada: Customer) -> None:
    token = await log_in(world, ada)
    assert (await world.ask("POST", "/api/v1/auth/password", token, json=CHANGE)).status == 204
    assert (await world.ask("GET", "/api/v1/account", ada)).is_problem(401, "not-authenticated")
    assert (await world.ask("GET", "/api/v1/account", token)).status == 200
    body = {"email": ada.email, "password": PASSWORD}
    assert (await world.ask("POST", LOG_IN, json=body)).status == 401
    await log_in(world, ada, CHANGE["new"])


async def test_what_is_wrong_with_a_new_password_is_named(world: World, ada: Customer) -> None:
    for change, field in (
        ({"current": "not the password"}, "current"),
        ({"new": "short"}, "new"),
        ({"new": "password1234"}, "new"),
        ({"current": "\u00e9" * 600}, "current"),
    ):
        answer = await world.ask("POST", "/api/v1/auth/password", ada, json={**CHANGE, **change})
        assert answer.is_problem(422, "invalid-input")
        assert [error["field"] for error in answer.json["errors"]] == [field]
    assert (await world.ask("GET", "/api/v1/account", ada)).status == 200
