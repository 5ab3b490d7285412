"""Every answer of every route against the tables in headers.md."""

from __future__ import annotations

import io
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio
from aiohttp import web

from api.world import PASSWORD, Customer, World, fresh_core, settings_in, world_of
from mailkeep.bootstrap import Core
from mailkeep.domain.scope import Scope
from mailkeep_api.app import create_app
from mailkeep_api.keys import CORE
from mailkeep_web.app import add_pages
from security.headers_table import EVERYWHERE, FOR_PROGRAMS, read_headers_table
from security.headers_table import TABLE as TEXT
from security.test_faults import Faulty

OUR_ORIGIN = "https://mail.example.org"
MAIL = (
    b"From: s@example.org\r\nSubject: hello\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n"
    b"--b\r\nContent-Type: text/html\r\n\r\n<p>Hello</p>\r\n"
    b"--b\r\nContent-Type: application/pdf; name=a.pdf\r\n\r\nbody\r\n--b--\r\n"
)
TABLE = read_headers_table()


@dataclass(frozen=True)
class Site:
    """The API and the pages as browsers reach them by https; every route as method and path."""

    world: World
    routes: tuple[tuple[str, str], ...]

    async def answer(self, method: str, path: str, token: str = "", **options: Any) -> tuple[int, Mapping[str, str]]:
        """Status and headers; a stream is not waited for."""
        by_program = path.startswith(FOR_PROGRAMS)
        headers = {"Authorization": f"Bearer {token}"} if by_program else {"Cookie": f"__Host-mailkeep={token}"}
        sent = {"Origin": OUR_ORIGIN, **(headers if token else {})}
        async with self.world.client.request(
            method, self.world.url + path, headers=sent, allow_redirects=False, **options
        ) as response:
            return response.status, response.headers.copy()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    directory = tmp_path_factory.mktemp("headers")
    auth = {"registrations_per_hour": 1_000}
    shown = {"security_contact": "mailto:a@example.org", "security_expires": "2027-01-01T00:00:00Z", "styleguide": True}
    settings = settings_in(directory, http={"public_url": OUR_ORIGIN}, auth=auth, site=shown)
    async with fresh_core(settings) as core:
        app = create_app(core, settings)
        add_pages(app, core, settings)
        async with world_of(core, app) as world:
            yield Site(world, tuple(sorted(_routes(app))))


def _routes(app: web.Application) -> set[tuple[str, str]]:
    return {(route.method, route.resource.canonical) for route in app.router.routes() if route.resource is not None}


def check(route: str, status: int, headers: Mapping[str, str]) -> None:
    expected = TABLE.expected(route, status)
    found = {name: _without_digest(headers.get(name, "")) for name in expected}
    assert found == dict(expected), (route, status, "a route of another kind has its line in headers.md")
    assert "unsafe-inline" not in headers["Content-Security-Policy"]
    assert "unsafe-eval" not in headers["Content-Security-Policy"]
    assert "X-Powered-By" not in headers


def _without_digest(value: str) -> str:
    return re.sub(r"'sha256-[\w+/=]+'", "'sha256-…'", value)


async def somebody(site: Site, name: str) -> tuple[Customer, dict[str, str]]:
    """A new customer, and ids of what is theirs."""
    customer = await site.world.register(f"{name}@example.org")
    await site.world.deliver(MAIL, customer)
    core = site.world.core
    actor = await core.sessions.actor(customer.token)
    message_id = await site.world.only_message(customer)
    detail = (await site.world.ask("GET", f"/api/v1/messages/{message_id}", customer)).json
    owner = await core.accounts.authenticate(customer.email, PASSWORD)
    return customer, {
        "message_id": message_id,
        "attachment_id": detail["attachments"][0]["id"],
        "address_id": customer.address_id,
        "token_id": (await core.tokens.create(actor, "x", {Scope.MESSAGES_READ}))[1].id,
        "session_id": (await core.sessions.open(owner)).id,
        "account_id": customer.account_id,
        "slug": "not-found",
        "name": "mailkeep.css",
    }


def filled(path: str, ids: Mapping[str, str]) -> str:
    unknown = set(re.findall(r"\{(\w+)\}", path)) - set(ids)
    assert not unknown, f"{path}: name an id for {unknown} in `somebody`"
    return path.format_map(ids)


def body_for(path: str) -> dict[str, Any]:
    return {"json": {}} if path.startswith(FOR_PROGRAMS) else {"data": {"label": "x", "email": "x"}}


@pytest.mark.asyncio(loop_scope="module")
async def test_attack_099_what_every_route_answers(site: Site) -> None:
    """With ids that are the caller's own; whoever changes something has an account of their own, which may be gone."""
    ada, ids = await somebody(site, "ada")
    succeeded = set()
    for number, (method, path) in enumerate(site.routes):
        reads = method in ("GET", "HEAD")
        customer, own = (ada, ids) if reads else await somebody(site, f"n{number}")
        options = {} if reads else body_for(path)
        status, headers = await site.answer(method, filled(path, own), customer.token, **options)
        check(path, status, headers)
        assert status < 500, (method, path)
        if status < 300:
            succeeded.add(path)
    assert set(TABLE.routes) <= succeeded, "what the table says of these was not seen"


@pytest.mark.asyncio(loop_scope="module")
async def test_attack_099_what_nobody_is_answered(site: Site) -> None:
    ids = dict.fromkeys(("message_id", "attachment_id", "address_id", "token_id", "session_id", "account_id"), "0")
    ids |= {"slug": "no-such-problem", "name": "nothing.css"}
    for method, path in site.routes:
        for asked in (method, "PATCH", "TRACE"):
            body = {} if asked in ("GET", "HEAD", "TRACE") else body_for(path)
            check(path, *await site.answer(asked, filled(path, ids), **body))


@pytest.mark.asyncio(loop_scope="module")
async def test_attack_099_errors(site: Site) -> None:
    for path in ("/nothing", "/.env", "/static/nothing", "/api/nothing", "/api/v1/nothing", "/problems/a/b"):
        status, headers = await site.answer("GET", path)
        assert status == 404
        check(path, status, headers)
    for path, media_type in (
        ("/login", "application/x-www-form-urlencoded"),
        ("/api/v1/auth/login", "application/json"),
    ):
        headers = {"Content-Type": media_type, "Origin": OUR_ORIGIN}
        large = io.BytesIO(b"x" * 2_000_000)
        async with site.world.client.post(site.world.url + path, data=large, headers=headers) as response:
            assert response.status == 413
            check(path, response.status, response.headers)


async def test_attack_099_a_fault_of_ours(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, http={"public_url": OUR_ORIGIN})
    async with fresh_core(settings) as core:
        async with world_of(core, create_app(core, settings)) as world:
            ada = await world.register("ada@example.org")
        app = create_app(core, settings)
        app[CORE] = cast("Core", Faulty(core))
        add_pages(app, app[CORE], settings)
        async with world_of(core, app) as world:
            broken = Site(world, ())
            for path in ("/inbox", "/addresses", "/api/v1/messages"):
                status, headers = await broken.answer("GET", path, ada.token)
                assert status == 500, path
                check(path, status, headers)


def test_what_every_answer_has_stands_in_the_text() -> None:
    text = " ".join(TEXT.read_text("utf-8").split())
    for name, value in EVERYWHERE.items():
        assert name == "Server" or f"`{name}: {value}`" in text, name
