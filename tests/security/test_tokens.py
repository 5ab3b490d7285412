"""Tokens at the door: what one that only reads can change (nothing), and what is left of one that was revoked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import get_args

import pytest

from api.test_callers import body_of, name, path_of
from api.world import Customer, World, open_world, settings_in
from mailkeep.domain.scope import CUSTOMER_SCOPES, GRANTABLE_SCOPES, Scope
from mailkeep_api.app import ROUTES
from mailkeep_api.routing import PUBLIC, Raw
from mailkeep_api.schemas.tokens import GrantableScope

TOKENS = "/api/v1/tokens"
READING = sorted(scope.value for scope in GRANTABLE_SCOPES if scope.value.endswith(":read"))
CHANGING = [route for route in ROUTES if route.method != "GET" and route.scope is not PUBLIC]
MAIL = (
    b"From: s@example.org\r\nSubject: hello\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: application/pdf; name=a.pdf\r\n\r\nbytes\r\n"
    b"--b\r\nContent-Type: text/html\r\n\r\n<p>hello\r\n--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b--\r\n"
)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(settings_in(tmp_path)) as opened:
        yield opened


@pytest.fixture
async def ada(world: World) -> Customer:
    ada = await world.register("ada@example.org")
    await world.deliver(MAIL, ada)
    return ada


async def make(world: World, caller: Customer | str, **wanted: object) -> dict[str, str]:
    body = {"name": "test", "scopes": READING, **wanted}
    answer = await world.ask("POST", TOKENS, caller, json=body)
    assert answer.status == 201, answer
    made: dict[str, str] = answer.json
    assert answer.headers["Location"] == f"{TOKENS}/{made['id']}"
    return made


def test_what_the_api_offers_is_what_a_token_can_hold() -> None:
    assert set(get_args(GrantableScope)) == {scope.value for scope in GRANTABLE_SCOPES}
    assert frozenset({Scope.TOKENS_WRITE}) == CUSTOMER_SCOPES - GRANTABLE_SCOPES


async def test_attack_078_a_token_that_reads_changes_nothing(world: World, ada: Customer) -> None:
    made = await make(world, ada)
    message_id = await world.only_message(ada)
    ids = {"message_id": message_id, "address_id": ada.address_id, "token_id": made["id"], "account_id": ada.account_id}
    assert len(CHANGING) > 10
    for route in CHANGING:
        answer = await world.ask(route.method, path_of(route, **ids), made["token"], json=body_of(route))
        assert answer.is_problem(403, "not-allowed"), name(route)
    assert await world.only_message(ada) == message_id
    assert (await world.ask("GET", f"{TOKENS}/{made['id']}", ada)).status == 200
    assert (await world.ask("GET", f"/api/v1/messages/{message_id}", made["token"])).json["read"] is False


async def test_attack_061_downloads_need_whom_they_belong_to(world: World, ada: Customer) -> None:
    bob = await world.register("bob@example.org")
    message_id = await world.only_message(ada)
    detail = (await world.ask("GET", f"/api/v1/messages/{message_id}", ada)).json
    ids = {"message_id": message_id, "attachment_id": detail["attachments"][0]["id"]}
    downloads = [
        path_of(route, **ids) for route in ROUTES if isinstance(route.returns, Raw) and "message_id" in route.path
    ]
    assert len(downloads) >= 5
    made = await make(world, ada)
    for path in downloads:
        assert (await world.ask("GET", path, made["token"])).status == 200, path
        assert (await world.ask("GET", path)).is_problem(401, "not-authenticated"), path
        assert (await world.ask("GET", path, bob)).is_problem(404, "not-found"), path
        assert (await world.ask("GET", f"{path}?token={made['token']}")).is_problem(403, "not-allowed"), path
    assert (await world.ask("DELETE", f"{TOKENS}/{made['id']}", ada)).status == 204
    for path in downloads:
        assert (await world.ask("GET", path, made["token"])).is_problem(401, "not-authenticated"), path


async def test_from_making_to_revoking(world: World, ada: Customer) -> None:
    made = await make(world, ada, expires_at="2999-01-01T00:00:00Z")
    shown = (await world.ask("GET", f"{TOKENS}/{made['id']}", ada)).json
    assert shown == {key: value for key, value in made.items() if key != "token"}
    assert (await world.ask("GET", TOKENS, ada)).json == {"items": [shown], "next": None}

    rotated = await world.ask("POST", f"{TOKENS}/{made['id']}/rotate", ada, json={"overlap_s": 60})
    assert rotated.json["id"] == made["id"]
    for text in (made["token"], rotated.json["token"]):
        assert (await world.ask("GET", "/api/v1/messages", text)).status == 200
    assert (await world.ask("POST", f"{TOKENS}/{made['id']}/rotate", ada, json={})).status == 200
    for text in (made["token"], rotated.json["token"]):
        assert (await world.ask("GET", "/api/v1/messages", text)).status == 401


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"scopes": ["tokens:write"]}, "scopes.0"),
        ({"scopes": ["admin"]}, "scopes.0"),
        ({"scopes": []}, "scopes"),
        ({"scopes": "messages:read"}, "scopes"),
        ({"name": "\n"}, "name"),
        ({"expires_at": "2001-01-01T00:00:00Z"}, "expires_at"),
        ({"account_id": "x"}, "account_id"),
    ],
)
async def test_what_is_wrong_is_named(world: World, ada: Customer, wanted: dict[str, object], field: str) -> None:
    answer = await world.ask("POST", TOKENS, ada, json={"name": "test", "scopes": READING, **wanted})
    assert answer.is_problem(422, "invalid-input")
    assert [error["field"] for error in answer.json["errors"]] == [field]
