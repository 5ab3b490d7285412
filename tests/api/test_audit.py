"""The audit log over the API: every route leaves its record, and its customer sees the own ones."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from api.test_callers import MAIL, body_of, name, path_of
from api.world import PASSWORD, Customer, World, open_world, settings_in
from mailkeep.domain.audit import AuditQuery, AuditRecord
from mailkeep.storage import audit_log
from mailkeep_api.app import ROUTES


async def all_records(world: World, **query: Any) -> list[AuditRecord]:
    await world.core.trail.flush()
    async with world.core.database.read() as connection:
        return await audit_log.platform_page(connection, AuditQuery(limit=1000, **query))


async def soon(world: World, action: str) -> list[AuditRecord]:
    """What is streamed is recorded when the last byte is out, which the client may see first."""
    for _ in range(500):
        if found := await all_records(world, action=action):
            return found
        await asyncio.sleep(0.01)
    return []


async def test_every_route_that_fails_leaves_one_record(world: World, ada: Customer) -> None:
    """Of nobody, of somebody who may not, and of somebody who asks for what is not there."""
    for route in sorted(ROUTES, key=lambda route: route.path.endswith("/logout")):  # her session ends with it
        for caller in (None, ada):
            query = "?after=x" if route.path.endswith("/events") else ""  # a stream that began would not end
            answer = await world.ask(route.method, path_of(route) + query, caller, json=body_of(route))
            found = await all_records(world)
            ours = [record for record in found if record.request_id == answer.headers["X-Request-Id"]]
            if answer.status < 400 and route.is_quiet:
                assert ours == [], name(route)
                continue
            if not ours and any(record.action == route.audit and record.actor_id == "" for record in found):
                continue  # of strangers who fail alike within a minute the first is recorded, and the others counted
            assert [record.action for record in ours] == [route.audit], name(route)
            slug = answer.json["type"].rpartition("/")[2] if answer.status >= 400 else "done"
            assert ours[0].outcome == slug, name(route)


async def test_every_change_writes_its_own_record(world: World, ada: Customer) -> None:
    """Exactly one of each request, in the transaction of the change: it is there before anything is flushed."""
    await world.deliver(MAIL, ada)
    message = await world.only_message(ada)
    made = await world.ask("POST", "/api/v1/addresses", ada, json={})
    address = made.json["id"]
    session = await world.ask("POST", "/api/v1/auth/login", json={"email": ada.email, "password": PASSWORD})
    changes = [
        (made, "address.create", address),
        (session, "session.open", None),
        (
            await world.ask("PATCH", f"/api/v1/addresses/{address}", ada, json={"active": False}),
            "address.update",
            address,
        ),
        (await world.ask("DELETE", f"/api/v1/addresses/{address}", ada), "address.delete", address),
        (await world.ask("PATCH", f"/api/v1/messages/{message}", ada, json={"read": True}), "message.update", message),
        (await world.ask("DELETE", f"/api/v1/messages/{message}", ada), "message.delete", message),
        (await world.ask("POST", "/api/v1/auth/logout", session.json["token"]), "session.close", None),
    ]
    async with world.core.database.read() as connection:
        written = await audit_log.platform_page(connection, AuditQuery(limit=1000))
    await world.core.trail.flush()
    for answer, action, resource in changes:
        assert answer.status < 300, action
        request_id = answer.headers["X-Request-Id"]
        (record,) = [each for each in written if each.request_id == request_id]
        assert (record.action, record.outcome, record.account_id) == (action, "done", ada.account_id)
        assert resource in (None, record.resource)
        assert len([each for each in await all_records(world) if each.request_id == request_id]) == 1


async def test_reading_is_recorded_with_where_it_came_from(world: World, ada: Customer) -> None:
    await world.deliver(MAIL, ada)
    message = await world.only_message(ada)
    headers = {"User-Agent": "Mozilla/5.0 caf\u00e9"}
    for path, action in (("", "message.view"), ("/source", "message.source"), ("/structure", "message.structure")):
        await world.ask("GET", f"/api/v1/messages/{message}{path}", ada, headers=headers)
        (record,) = await soon(world, action)
        assert (record.resource, record.outcome, record.account_id) == (message, "done", ada.account_id)
        assert record.place is not None
        assert record.place.client_ip == "127.0.0.1"
        assert record.place.user_agent.startswith("Mozilla/5.0 caf")


async def test_the_customer_sees_the_own_records_alone(world: World, ada: Customer, bob: Customer) -> None:
    await world.ask("GET", f"/api/v1/addresses/{ada.address_id}", bob)
    await world.ask("POST", "/api/v1/auth/login", json={"email": ada.email, "password": "not the password"})
    await world.core.trail.flush()
    hers = (await world.ask("GET", "/api/v1/audit?limit=200", ada)).json["items"]
    his = (await world.ask("GET", "/api/v1/audit?limit=200", bob)).json["items"]
    assert ("session.open", "not-authenticated", "nobody") in {
        (item["action"], item["outcome"], item["actor_kind"]) for item in hers
    }
    assert ("address.view", "not-found") in {(item["action"], item["outcome"]) for item in his}
    assert not {item["id"] for item in hers} & {item["id"] for item in his}
    assert not any(item["action"] == "address.view" for item in hers)


async def test_filters_and_pages(world: World, ada: Customer) -> None:
    for _ in range(5):
        await world.ask("GET", "/api/v1/account", ada)
    await world.core.trail.flush()
    first = await world.ask("GET", "/api/v1/audit?action=account.view&limit=3", ada)
    assert len(first.json["items"]) == 3
    assert f"before={first.json['next']}" in first.headers["Link"]
    second = await world.ask("GET", f"/api/v1/audit?action=account.view&limit=3&before={first.json['next']}", ada)
    assert (len(second.json["items"]), second.json["next"]) == (2, None)
    moment = first.json["items"][0]["at"].replace("+", "%2B")
    assert len((await world.ask("GET", f"/api/v1/audit?action=account.view&since={moment}", ada)).json["items"]) == 1
    for ends in ("since=0001-01-01T00:00:00Z&until=9999-12-31T23:59:59Z", "until=9999-12-31T23:59:59.999999Z"):
        for path in ("/api/v1/audit", "/api/v1/audit/export"):
            assert (await world.ask("GET", f"{path}?{ends}", ada)).status == 200
    assert (await world.ask("GET", "/api/v1/audit?until=0001-01-01T00:00:00Z", ada)).json["items"] == []
    for wrong in ("action=x", "since=yesterday", "actor=%27", "outcome=A", "limit=201", "order=id"):
        answer = await world.ask("GET", f"/api/v1/audit?{wrong}", ada)
        assert answer.is_problem(422, "invalid-input"), wrong


async def test_the_log_as_a_file(world: World, ada: Customer) -> None:
    for agent in ("=cmd()", "+1", "-1", "@x", "plain"):
        await world.ask("GET", "/api/v1/account", ada, headers={"User-Agent": agent})
    await world.core.trail.flush()
    lines = await world.ask("GET", "/api/v1/audit/export?action=account.view", ada)
    assert lines.headers["Content-Disposition"] == 'attachment; filename="mailkeep-audit.jsonl"'
    agents = [json.loads(line)["user_agent"] for line in lines.body.splitlines()]
    assert agents == ["plain", "@x", "-1", "+1", "=cmd()"]
    table = await world.ask("GET", "/api/v1/audit/export?action=account.view&format=csv", ada)
    rows = list(csv.DictReader(io.StringIO(table.body.decode(), newline="")))
    assert [row["user_agent"] for row in rows] == ["plain", "'@x", "'-1", "'+1", "'=cmd()"]  # attack case 103
    assert [row["id"] for row in rows] == [json.loads(line)["id"] for line in lines.body.splitlines()]


async def test_attack_096_no_secret_is_recorded(world: World, ada: Customer) -> None:
    await world.ask("POST", "/api/v1/auth/login", json={"email": ada.email, "password": "a wrong hunter2 password"})
    await world.ask("GET", "/api/v1/messages?q=subject:hunter2", ada)
    await world.ask("GET", "/api/v1/account", "mk_hunter2")
    records = repr(await all_records(world))
    assert not any(secret in records for secret in ("hunter2", ada.email, ada.token, ada.address))


@pytest.mark.parametrize(("proxies", "recorded"), [((), "127.0.0.1"), (("127.0.0.0/8",), "203.0.113.9")])
async def test_attack_095_the_true_client_is_recorded(tmp_path: Path, proxies: tuple[str, ...], recorded: str) -> None:
    """X-Forwarded-For is believed from a configured proxy alone, and of it only what the proxy itself wrote."""
    async with open_world(settings_in(tmp_path, auth={"trusted_proxies": proxies})) as world:
        ada = await world.register("ada@example.org")
        headers = {"X-Forwarded-For": "10.0.0.1, 203.0.113.9", "X-Real-IP": "10.0.0.2", "Forwarded": "for=10.0.0.3"}
        await world.ask("GET", "/api/v1/account", ada, headers=headers)
        (record,) = await all_records(world, action="account.view")
        assert record.place is not None
        assert record.place.client_ip == recorded
