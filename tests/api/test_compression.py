"""gzip: for large JSON, for clients that take it, and never where secrets are."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import aiohttp
import pytest

from api.world import PASSWORD, Customer, World, open_world, settings_in
from mailkeep_api import compression
from mailkeep_api.app import ROUTES
from mailkeep_api.compression import MAX_PADDING, MIN_BYTES, takes_gzip

MESSAGES = "/api/v1/messages"
MAIL = b"From: a@example.org\r\nSubject: one\r\n\r\n" + b"Hello, this is a long text.\r\n" * 100
GZIP = {"Accept-Encoding": "gzip"}
PLAIN = {"Accept-Encoding": "identity"}


@pytest.fixture
async def raw(world: World) -> World:
    """The world, through a client that unpacks nothing."""
    return World(world.core, world.url, aiohttp.ClientSession(auto_decompress=False))


@pytest.mark.parametrize(
    ("accept_encoding", "taken"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("br, *", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000, *", False),
        ("identity", False),
        ("", False),
        ("gzip;q=nonsense", False),
        ("x-gzip", False),
        (",;,=,q=1", False),
    ],
)
def test_who_takes_it(accept_encoding: str, taken: bool) -> None:
    assert takes_gzip(accept_encoding) is taken


async def test_large_json(raw: World, ada: Customer) -> None:
    async with raw.client:
        await raw.deliver(MAIL, ada)
        path = f"{MESSAGES}/{await raw.only_message(ada)}"
        plain = await raw.ask("GET", path, ada, headers=PLAIN)
        packed = await raw.ask("GET", path, ada, headers=GZIP)
        assert "Content-Encoding" not in plain.headers
        assert packed.headers["Content-Encoding"] == "gzip"
        assert len(packed.body) < len(plain.body) / 2
        assert gzip.decompress(packed.body) == plain.body
        assert int(packed.headers["Content-Length"]) == len(packed.body)
        assert plain.headers["Vary"] == packed.headers["Vary"] == "Accept-Encoding"
        # Two representations, two strong tags; each of them is known again, whatever is asked for.
        assert packed.headers["ETag"] == f'{plain.headers["ETag"][:-1]}-gz"'
        for etag in (plain.headers["ETag"], packed.headers["ETag"]):
            for accepted in (GZIP, PLAIN):
                unchanged = await raw.ask("GET", path, ada, headers={**accepted, "If-None-Match": etag})
                assert (unchanged.status, unchanged.headers["Vary"]) == (304, "Accept-Encoding")


async def test_the_length_tells_little(raw: World, ada: Customer) -> None:
    async with raw.client:
        await raw.deliver(MAIL, ada)
        path = f"{MESSAGES}/{await raw.only_message(ada)}"
        lengths = {len((await raw.ask("GET", path, ada, headers=GZIP)).body) for _ in range(30)}
    assert len(lengths) > 10
    assert max(lengths) - min(lengths) <= MAX_PADDING + 1


async def test_what_goes_out_as_it_is(raw: World, ada: Customer) -> None:
    async with raw.client:
        await raw.deliver(MAIL, ada)
        path = f"{MESSAGES}/{await raw.only_message(ada)}"
        for other in (f"{path}/source", f"{path}/text", "/api/v1/account", "/healthz"):
            assert "Content-Encoding" not in (await raw.ask("GET", other, ada, headers=GZIP)).headers
        for problem in (f"{MESSAGES}/nothing", f"{MESSAGES}?{'x=1&' * 50}"):
            assert "Content-Encoding" not in (await raw.ask("GET", problem, ada, headers=GZIP)).headers


async def test_secrets_are_never_compressed(raw: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the answer is (BREACH)."""
    monkeypatch.setattr(compression, "MIN_BYTES", 1)
    async with raw.client:
        long = f"{'a' * 60}@{'.'.join(['b' * 60] * 3)[:185]}"
        body = {"email": long, "password": PASSWORD}
        assert (await raw.ask("POST", "/api/v1/auth/register", json=body)).status == 202
        answer = await raw.ask("POST", "/api/v1/auth/login", json=body, headers=GZIP)
        assert answer.status == 200
        assert "Content-Encoding" not in answer.headers
        assert "token" in json.loads(answer.body)


def test_every_route_that_shows_a_secret_says_so() -> None:
    for route in ROUTES:
        if isinstance(route.returns, type) and {"token", "secret", "password"} & set(route.returns.model_fields):
            assert route.secret, route.path


async def test_the_document_is_compressed(raw: World) -> None:
    async with raw.client:
        answer = await raw.ask("GET", "/api/v1/openapi.json", headers=GZIP)
        assert answer.headers["Content-Encoding"] == "gzip"
        assert json.loads(gzip.decompress(answer.body))["openapi"].startswith("3.1")
        assert len(answer.body) > MIN_BYTES


async def test_cors_is_off(world: World) -> None:
    headers = {"Origin": "https://app.example.org", "Access-Control-Request-Method": "GET"}
    assert (await world.ask("OPTIONS", MESSAGES, headers=headers)).is_problem(405, "method-not-allowed")
    answer = await world.ask("GET", "/api/v1/openapi.json", headers=headers)
    assert not [name for name in answer.headers if name.startswith("Access-Control")]


async def test_cors_for_origins_that_are_named(tmp_path: Path) -> None:
    ours, other = "https://app.example.org", "https://app.example.org.evil.test"
    async with open_world(settings_in(tmp_path, http={"cors_origins": [ours]})) as world:
        ada = await world.register("ada@example.org")
        asked = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "authorization"}
        preflight = await world.ask("OPTIONS", f"{MESSAGES}/x", headers={"Origin": ours, **asked})
        assert (preflight.status, preflight.headers["Access-Control-Allow-Origin"]) == (204, ours)
        assert "PATCH" in preflight.headers["Access-Control-Allow-Methods"]
        assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]

        answer = await world.ask("GET", MESSAGES, ada, headers={"Origin": ours})
        assert answer.headers["Access-Control-Allow-Origin"] == ours
        assert {"ETag", "RateLimit", "X-Request-Id"} <= set(answer.headers["Access-Control-Expose-Headers"].split(", "))
        assert "Origin" in answer.headers.getall("Vary")
        assert (await world.ask("GET", MESSAGES, headers={"Origin": ours})).headers["Access-Control-Allow-Origin"]

        for origin in (other, "null", "https://APP.example.org", "http://app.example.org"):
            refused = await world.ask("OPTIONS", MESSAGES, headers={"Origin": origin, **asked})
            assert refused.is_problem(405, "method-not-allowed")
            answer = await world.ask("GET", MESSAGES, ada, headers={"Origin": origin})
            assert "Access-Control-Allow-Origin" not in answer.headers
        elsewhere = await world.ask("GET", "/healthz", headers={"Origin": ours})
        assert "Access-Control-Allow-Origin" not in elsewhere.headers
        for found in (preflight, answer, elsewhere):
            assert "Access-Control-Allow-Credentials" not in found.headers


@pytest.mark.parametrize("origin", ["*", "https://app.example.org/", "app.example.org", "HTTPS://a.test", "null", ""])
def test_what_is_no_origin(tmp_path: Path, origin: str) -> None:
    with pytest.raises(ValueError, match="write origins as browsers do"):
        settings_in(tmp_path, http={"cors_origins": [origin]})
