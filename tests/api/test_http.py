"""What every answer has in common: headers, problems, ids; and what the log says of it."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog
import uvloop
from aiohttp import web

from api.world import Customer, World, fresh_core, open_world, settings_in, world_of
from mailkeep.errors import ConfigurationError, DatabaseUnavailable, RateExceeded
from mailkeep_api.app import create_app
from mailkeep_api.dispatch import handler_of
from mailkeep_api.keys import PAGE_ERROR
from mailkeep_api.problems import Problem
from mailkeep_api.routing import PUBLIC, Call, Routes
from mailkeep_api.schemas.shapes import Query, StatusOut
from mailkeep_api.server import serve_http

ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
    "Server": "mailkeep",
}


async def broken(_request: web.Request) -> web.StreamResponse:
    raise RuntimeError("the secret is hunter2")


async def broken_half_way(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    response.content_length = 100
    await response.prepare(request)
    await response.write(b"half")
    raise RuntimeError("the secret is hunter2")


async def busy(_request: web.Request) -> web.StreamResponse:
    raise RateExceeded("the secret is hunter2", retry_after_s=7)


async def down(_request: web.Request) -> web.StreamResponse:
    raise DatabaseUnavailable("mysql://root:hunter2@db")


async def moved(_request: web.Request) -> web.StreamResponse:
    raise web.HTTPSeeOther("/elsewhere")


slow_routes = Routes("/api/v1/slow", tag="slow")


class Patience(Query):
    wait: int = 0


@slow_routes.get("", scope=PUBLIC, audit="slow.view", query=Patience, returns=StatusOut)
async def get_slow(call: Call, query: Patience) -> StatusOut:  # noqa: ARG001  every handler takes its call
    await asyncio.sleep(0.5)
    return StatusOut()


@asynccontextmanager
async def faulty(directory: Path, **sections: Any) -> AsyncIterator[World]:
    """An API with routes beside ours that fail, as another room's might."""
    settings = settings_in(directory, http={"handler_timeout_s": 0.2, **sections.pop("http", {})}, **sections)
    async with fresh_core(settings) as core:
        app = create_app(core, settings)
        for handler in (broken, broken_half_way, busy, down, moved):
            app.router.add_get(f"/api/{handler.__name__}", handler)
        for route in slow_routes:
            app.router.add_get(route.path, handler_of(route))
        async with world_of(core, app) as world:
            yield world


FAILURES = [
    ("GET", "/nowhere", 404, "not-found"),
    ("GET", "/api/v1/nowhere", 404, "not-found"),
    ("GET", "/.git/config", 404, "not-found"),
    ("GET", "/api/v1/messages/", 404, "not-found"),
    ("PUT", "/api/v1/messages", 405, "method-not-allowed"),
    ("TRACE", "/api/v1/messages", 405, "method-not-allowed"),
    ("OPTIONS", "/api/v1/auth/login", 405, "method-not-allowed"),
    ("PROPFIND", "/api/v1/messages", 405, "method-not-allowed"),
    ("BREW", "/api/v1/messages", 400, "not-http"),
    ("GET", "/.env", 404, "not-found"),
    ("GET", "/api/v1/account", 401, "not-authenticated"),
    ("GET", "/api/broken", 500, "internal"),
    ("GET", "/api/busy", 429, "rate-exceeded"),
    ("GET", "/api/down", 503, "unavailable"),
    ("GET", "/api/v1/slow", 503, "given-up"),
]


async def test_attack_099_every_failure_is_a_problem(tmp_path: Path) -> None:
    async with faulty(tmp_path) as world:
        for method, path, status, slug in FAILURES:
            answer = await world.ask(method, path)
            assert answer.is_problem(status, slug)
            assert {name: answer.headers[name] for name in ALWAYS} == ALWAYS
            assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
            assert b"hunter2" not in answer.body
            assert ("Retry-After" in answer.headers) == (status in {429, 503})
            assert ("Allow" in answer.headers) == (status == 405)


async def test_what_a_request_asks_to_wait_it_may_wait(tmp_path: Path) -> None:
    async with faulty(tmp_path) as world:
        assert (await world.ask("GET", "/api/v1/slow?wait=1")).json == {"status": "ok"}


async def test_attack_100_odd_targets(world: World) -> None:
    host, _, port = world.url.removeprefix("http://").partition(":")
    loop = asyncio.get_running_loop()
    for line, status in ((b"OPTIONS *", b"404"), (b"CONNECT a.test:443", b"404"), (b"GET a.test", b"404")):
        with socket.create_connection((host, int(port)), timeout=5) as raw:
            raw.setblocking(False)
            await loop.sock_sendall(raw, line + b" HTTP/1.1\r\nHost: a.test\r\n\r\n")
            answer = await asyncio.wait_for(loop.sock_recv(raw, 65536), 5)
        assert answer.split(b" ", 2)[1] in {status, b"400", b"405"}, answer
        assert b"Server: mailkeep\r\n" in answer
        assert b"application/problem+json" in answer


async def test_a_request_has_our_id_whoever_names_another(tmp_path: Path) -> None:
    async with open_world(settings_in(tmp_path, auth={"trusted_proxies": ["127.0.0.0/8"]})) as world:
        ids = [
            (await world.ask("GET", path, headers={"X-Request-Id": "theirs"})).headers["X-Request-Id"]
            for path in ("/healthz", "/healthz", "/nowhere")
        ]
    assert len(set(ids)) == 3
    assert "theirs" not in ids


async def test_attack_101_an_unplanned_error_says_only_its_request(tmp_path: Path) -> None:
    async with faulty(tmp_path) as world:
        answer = await world.ask("GET", "/api/broken")
        assert set(answer.json) == {"type", "title", "status", "request_id"}
        assert (await world.ask("GET", "/healthz")).json == {"status": "ok"}


async def test_an_answer_that_breaks_half_way_is_broken_off(tmp_path: Path) -> None:
    async with faulty(tmp_path) as world:
        with pytest.raises(Exception, match="payload"):
            await world.ask("GET", "/api/broken_half_way")
        assert (await world.ask("GET", "/healthz")).status == 200


async def test_a_redirect_stays_one(tmp_path: Path) -> None:
    async with faulty(tmp_path) as world:
        answer = await world.ask("GET", "/api/moved")
    assert (answer.status, answer.headers["Location"]) == (303, "/elsewhere")
    assert answer.headers["Server"] == "mailkeep"


async def test_pages_show_errors_in_their_own_way(tmp_path: Path) -> None:
    async def page(request: web.Request, problem: Problem) -> web.StreamResponse:
        return web.Response(
            text=f"<h1>{problem.title}: {request.path}</h1>", status=problem.status, content_type="text/html"
        )

    settings = settings_in(tmp_path)
    async with fresh_core(settings) as core:
        app = create_app(core, settings)
        app[PAGE_ERROR] = page
        async with world_of(core, app) as world:
            assert (await world.ask("GET", "/nowhere")).headers["Content-Type"].startswith("text/html")
            assert (await world.ask("GET", "/api/nowhere")).is_problem(404, "not-found")


@pytest.mark.parametrize(("public_url", "promised"), [("https://mail.example.org", True), ("", False)])
async def test_https_is_promised_where_it_is(tmp_path: Path, public_url: str, promised: bool) -> None:
    async with open_world(settings_in(tmp_path, http={"public_url": public_url})) as world:
        assert ("Strict-Transport-Security" in (await world.ask("GET", "/healthz")).headers) is promised


async def test_health_and_readiness(world: World) -> None:
    for path in ("/healthz", "/readyz"):
        assert (await world.ask("GET", path)).json == {"status": "ok"}


async def test_closed_registration(tmp_path: Path) -> None:
    async with open_world(settings_in(tmp_path, auth={"registration": "closed"})) as world:
        body = {"email": "a@example.org", "password": "a quiet river bends twice"}
        assert (await world.ask("POST", "/api/v1/auth/register", json=body)).is_problem(403, "not-allowed")


async def test_one_event_a_request_without_secrets(world: World, ada: Customer) -> None:
    with structlog.testing.capture_logs() as events:
        await world.ask("GET", f"/api/v1/messages?address={ada.address}", ada)
        await world.ask("GET", f"/api/v1/addresses/{ada.address_id}", ada)
        await world.ask("GET", "/nowhere?token=hunter2")
    requests = [event for event in events if event["event"] == "http.request"]
    assert [(event["route"], event["status"]) for event in requests] == [
        ("/api/v1/messages", 200),
        ("/api/v1/addresses/{address_id}", 200),
        (None, 404),
    ]
    assert requests[0]["client_ip"] == "127.0.0.1"
    assert requests[0]["account_id"] == ada.account_id
    logged = json.dumps(events, default=str)
    assert not any(secret in logged for secret in (ada.address, ada.email, ada.token, "hunter2"))


async def test_a_port_in_use_is_one_clear_line(world: World) -> None:
    taken = world.url.removeprefix("http://")
    with pytest.raises(ConfigurationError, match=f"http.listen: cannot listen on {taken}"):
        async with serve_http(web.Application(), taken):
            pytest.fail("it listens twice")


async def test_attack_075_what_is_not_http_is_refused(world: World, caplog: pytest.LogCaptureFixture) -> None:
    host, _, port = world.url.removeprefix("http://").partition(":")
    loop = asyncio.get_running_loop()
    for request in (
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, x\r\n\r\n",
        b"GET /hunter2 HTTP/1.1\r\nhunter2 : x\r\n\r\n",
        b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03",
    ):
        with socket.create_connection((host, int(port)), timeout=5) as raw, structlog.testing.capture_logs() as events:
            raw.setblocking(False)
            await loop.sock_sendall(raw, request)
            answer = await asyncio.wait_for(loop.sock_recv(raw, 65536), 5)
        assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 ")), answer
        head, _, body = answer.decode().partition("\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:])
        assert {name: headers[name] for name in ALWAYS} == ALWAYS
        problem = json.loads(body)
        assert (problem["type"], problem["request_id"]) == ("/problems/not-http", headers["X-Request-Id"])
        assert len(events) <= 1
        assert "hunter2" not in repr(events)
    assert "hunter2" not in caplog.text


def test_under_uvloop(tmp_path: Path) -> None:
    async def start_and_stop() -> None:
        async with open_world(settings_in(tmp_path)) as world:
            assert (await world.ask("GET", "/readyz")).status == 200
            taken = world.url.removeprefix("http://")
            with pytest.raises(ConfigurationError, match="Address already in use"):
                async with serve_http(web.Application(), taken):
                    pytest.fail("it listens twice")

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(start_and_stop())
