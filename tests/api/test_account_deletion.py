"""DELETE /account: with the password, by its owner alone; and what the answer says."""

from __future__ import annotations

from api.world import PASSWORD, Customer, World
from mailkeep.domain.scope import Scope, operator

MAIL = b"From: s@example.org\r\nSubject: hello\r\n\r\nbody\r\n"


async def test_an_owner_deletes_the_account(world: World, ada: Customer) -> None:
    await world.deliver(MAIL, ada)
    credentials = {"email": ada.email, "password": PASSWORD}
    other = (await world.ask("POST", "/api/v1/auth/login", json=credentials)).json["token"]
    answer = await world.ask("DELETE", "/api/v1/account", ada, json={"password": PASSWORD})
    assert answer.status == 200
    receipt = answer.json
    assert (receipt["account_id"], receipt["deleted"]["messages"], receipt["deleted"]["users"]) == (
        ada.account_id,
        1,
        1,
    )
    assert receipt["deleted_at"].endswith("Z")
    assert "the audit log, without client addresses and user agents" in receipt["kept"]
    for token in (ada.token, other):
        assert (await world.ask("GET", "/api/v1/messages", token)).is_problem(401, "not-authenticated")

    unknown = {"email": "nobody@example.org", "password": PASSWORD}
    known, never = [await world.ask("POST", "/api/v1/auth/login", json=each) for each in (credentials, unknown)]
    assert known.is_problem(401, "not-authenticated")
    assert {**known.json, "request_id": ""} == {**never.json, "request_id": ""}

    admin, _ = await world.core.service_tokens.create(operator(), "admin", {Scope.ADMIN})
    await world.core.trail.flush()
    audit = await world.ask("GET", f"/api/v1/admin/audit?account={ada.account_id}&action=account.delete", admin)
    [record] = audit.json["items"]
    assert (record["id"], record["outcome"], record["client_ip"]) == (receipt["id"], "done", "")
    anew = await world.register(ada.email)
    assert (await world.ask("GET", "/api/v1/messages", anew)).json["items"] == []


async def test_a_wrong_password_deletes_nothing(world: World, ada: Customer) -> None:
    for body in ({"password": PASSWORD + "x"}, {"password": "x" * 1024}):
        answer = await world.ask("DELETE", "/api/v1/account", ada, json=body)
        assert answer.is_problem(403, "not-allowed")
    for nothing in ({}, {"password": ""}, {"password": 7}, {"password": PASSWORD, "force": True}):
        assert (await world.ask("DELETE", "/api/v1/account", ada, json=nothing)).is_problem(422, "invalid-input")
    await world.core.trail.flush()
    path = "/api/v1/audit?action=account.delete"
    outcomes = [record["outcome"] for record in (await world.ask("GET", path, ada)).json["items"]]
    assert outcomes == ["invalid-input"] * 4 + ["wrong-password"] * 2


async def test_an_administrator_deletes_an_account(world: World, ada: Customer) -> None:
    admin, _ = await world.core.service_tokens.create(operator(), "admin", {Scope.ADMIN})
    path = f"/api/v1/admin/accounts/{ada.account_id}"
    assert (await world.ask("DELETE", path, admin)).json["deleted"]["users"] == 1
    assert (await world.ask("DELETE", path, admin)).is_problem(404, "not-found")
    assert (await world.ask("PATCH", path, admin, json={"status": "active"})).is_problem(404, "not-found")
    assert (await world.ask("GET", path, admin)).json["status"] == "deleted"
