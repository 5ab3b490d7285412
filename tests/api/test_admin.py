"""Administration over the API, and by its commands."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.world import PASSWORD, Customer, World, open_world, settings_in
from mailkeep.domain.scope import Scope, operator
from mailkeep_cli.main import app

MAIL = b"From: s@example.org\r\nSubject: hello\r\n\r\nbody\r\n"


@pytest.fixture
async def admin(world: World) -> str:
    token, _ = await world.core.service_tokens.create(operator(), "admin", {Scope.ADMIN})
    return token


async def test_an_account_is_found_suspended_and_let_go_on(
    world: World, admin: str, ada: Customer, bob: Customer
) -> None:
    await world.deliver(MAIL, ada)
    listed = await world.ask("GET", "/api/v1/admin/accounts?limit=1", admin)
    assert [item["id"] for item in listed.json["items"]] == [bob.account_id]
    assert f"before={listed.json['next']}" in listed.headers["Link"]
    (found,) = (await world.ask("GET", f"/api/v1/admin/accounts?email={ada.email.upper()}", admin)).json["items"]
    assert (found["id"], found["messages_received"], found["addresses"]) == (ada.account_id, 1, 1)
    path = f"/api/v1/admin/accounts/{ada.account_id}"
    changed = await world.ask("PATCH", path, admin, json={"status": "suspended"})
    assert (changed.json["status"], changed.json["tier"]) == ("suspended", "free")
    assert (await world.ask("GET", "/api/v1/account", ada)).is_problem(401, "not-authenticated")
    credentials = {"email": ada.email, "password": PASSWORD}
    refused = await world.ask("POST", "/api/v1/auth/login", json=credentials)
    assert refused.is_problem(401, "not-authenticated")
    assert (await world.ask("PATCH", path, admin, json={"status": "active", "tier": "paid"})).status == 200
    token = (await world.ask("POST", "/api/v1/auth/login", json=credentials)).json["token"]
    assert (await world.ask("GET", "/api/v1/account", token)).json["tier"] == "paid"
    assert (await world.ask("GET", path, admin)).json["tier"] == "paid"
    for body in ({"tier": "golden"}, {"tier": None}, {"status": "gone"}, {"id": "x"}, {"storage_bytes": 0}):
        assert (await world.ask("PATCH", path, admin, json=body)).is_problem(422, "invalid-input"), body
    assert (await world.ask("GET", "/api/v1/admin/accounts/none", admin)).is_problem(404, "not-found")


async def test_statistics_and_the_log_of_everybody(world: World, admin: str, ada: Customer) -> None:
    stats = (await world.ask("GET", "/api/v1/admin/stats", admin)).json
    assert stats["accounts"] == [{"tier": "free", "status": "active", "accounts": 1}]
    await world.ask("GET", f"/api/v1/admin/accounts/{ada.account_id}", admin)
    await world.core.trail.flush()
    everything = (await world.ask("GET", "/api/v1/admin/audit", admin)).json["items"]
    assert {"account.register", "token.create", "admin.stats"} <= {item["action"] for item in everything}
    hers = (await world.ask("GET", f"/api/v1/admin/audit?account={ada.account_id}", admin)).json["items"]
    assert {item["account_id"] for item in hers} == {ada.account_id}
    looked = [item for item in hers if item["action"] == "admin.account_view"]
    assert [item["actor_kind"] for item in looked] == ["service"]  # both actors: whose account, and who looked


async def test_the_tokens_of_services(world: World, admin: str, ada: Customer) -> None:
    path = "/api/v1/admin/tokens"
    made = await world.ask("POST", path, admin, json={"name": "mx1", "scopes": ["policy"]})
    assert made.status == 201
    token, token_id = made.json["token"], made.json["id"]
    assert (await world.ask("GET", "/api/internal/recipients", token)).status == 200
    listed = (await world.ask("GET", path, admin)).json["items"]
    assert [item["name"] for item in listed] == ["mx1", "admin"]
    assert token not in json.dumps(listed)
    rotated = await world.ask("POST", f"{path}/{token_id}/rotate", admin, json={"overlap_s": 60})
    for good in (token, rotated.json["token"]):
        assert (await world.ask("GET", "/api/internal/recipients", good)).status == 200
    assert (await world.ask("DELETE", f"{path}/{token_id}", admin)).status == 204
    for gone in (token, rotated.json["token"]):
        assert (await world.ask("GET", "/api/internal/recipients", gone)).is_problem(401, "not-authenticated")
    for body in (
        {"name": "x", "scopes": ["messages:read"]},
        {"name": "x", "scopes": []},
        {"name": "\n", "scopes": ["policy"]},
    ):
        assert (await world.ask("POST", path, admin, json=body)).is_problem(422, "invalid-input"), body
    hers = await world.ask("POST", "/api/v1/tokens", ada, json={"name": "ci", "scopes": ["messages:read"]})
    assert (await world.ask("DELETE", f"{path}/{hers.json['id']}", admin)).is_problem(404, "not-found")


async def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_in(tmp_path)
    async with open_world(settings) as world:
        ada = await world.register("=ada@example.org")
    monkeypatch.setenv("MAILKEEP_DATA_DIR", str(tmp_path))

    def command(*arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == code, result.output
        return result.stdout

    def work() -> None:
        (entry,) = [json.loads(line) for line in command("account", "list", "--json").splitlines()]
        assert (entry["id"], entry["status"]) == (ada.account_id, "active")
        assert command("incident", "revoke-sessions", "--all").strip() == "sessions revoked: 1"
        assert "paid  suspended" in command("account", "set", ada.account_id, "--tier", "paid", "--status", "suspended")
        assert ada.email in command("account", "show", ada.account_id)
        assert command("incident", "revoke-tokens", "--account", ada.account_id).strip() == "tokens revoked: 0"
        listed = list(csv.DictReader(io.StringIO(command("incident", "affected", "--since", "2020-01-01"))))
        assert [(row["account_id"], row["email"]) for row in listed] == [(ada.account_id, f"'{ada.email}")]
        notices = tmp_path / "notices.csv"
        command("incident", "affected", "--since", "2020-01-01", "--action", "session.open", "--notices", str(notices))
        assert ada.account_id in notices.read_text("utf-8")
        assert notices.stat().st_mode & 0o777 == 0o600
        token = command("token", "create", "--scope", "policy", "--name", "mx1").strip()
        assert "policy  mx1" in command("token", "list")
        assert command("token", "rotate", token[3:19], "--overlap-s", "60").startswith(token[:20])
        assert command("token", "revoke", token[3:19]).strip() == f"revoked: {token[3:19]}"
        assert command("token", "list") == ""
        assert command("audit", "seal").startswith("records sealed: ")
        assert command("audit", "verify").startswith("the audit log is whole: ")

    await asyncio.to_thread(work)
