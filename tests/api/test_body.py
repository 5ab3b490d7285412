"""Cases 71 to 73 of the attacks: what is not a body we take."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import AsyncIterator

import pytest

from api.world import Customer, World

pytestmark = pytest.mark.asyncio(loop_scope="module")

JSON = {"Content-Type": "application/json"}

MALFORMED = {
    "nothing": b"",
    "half an object": b'{"label":',
    "a duplicate name": b'{"label": "a", "label": "b"}',
    "a duplicate name below": b'{"label": {"x": 1, "x": 2}}',
    "NaN": b'{"label": NaN}',
    "Infinity": b'{"label": -Infinity}',
    "half a surrogate pair": b'{"label": "\\ud800"}',
    "half a surrogate pair as a name": b'{"\\udfff": ""}',
    "not UTF-8": b'{"label": "\xff"}',
    "a byte order mark": b'\xef\xbb\xbf{"label": ""}',
    "arrays 100,000 deep": b"[" * 100_000 + b"]" * 100_000,
    "objects 100,000 deep": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "open 100,000 times": b"[" * 100_000,
    "10,000 digits": b'{"label": ' + b"9" * 10_000 + b"}",
}

INVALID = {
    "a scalar": (b"1", "body"),
    "a list": (b"[]", "body"),
    "null": (b"null", "body"),
    "another type": (b'{"label": 5}', "label"),
    "an object in place of a string": (b'{"label": {"$ne": ""}}', "label"),
    "a bool in place of a string": (b'{"local_part": true}', "local_part"),
    "too long": (b'{"label": "' + b"x" * 101 + b'"}', "label"),
    "an unknown field": (b'{"account_id": "1"}', "account_id"),
    "an unknown field of 1,000 characters": (b'{"' + b"x" * 1000 + b'": 1}', "x" * 100),
    "a field of ours": (b'{"id": "1"}', "id"),
    "no address": (b'{"address": "nobody"}', "address"),
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
async def test_attack_073_malformed(still_world: World, still_ada: Customer, body: bytes) -> None:
    answer = await still_world.ask("POST", "/api/v1/addresses", still_ada, data=body, headers=JSON)
    assert answer.is_problem(400, "malformed")


@pytest.mark.parametrize(("body", "field"), INVALID.values(), ids=INVALID)
async def test_attack_073_invalid(still_world: World, still_ada: Customer, body: bytes, field: str) -> None:
    answer = await still_world.ask("POST", "/api/v1/addresses", still_ada, data=body, headers=JSON)
    assert answer.is_problem(422, "invalid-input")
    assert [error["field"] for error in answer.json["errors"]] == [field]
    assert all(error["code"] and error["message"] for error in answer.json["errors"])
    assert len((await still_world.ask("GET", "/api/v1/addresses", still_ada)).json["items"]) == 1


async def test_attack_073_no_more_errors_than_anybody_reads(still_world: World, still_ada: Customer) -> None:
    body = {f"field{n}": n for n in range(5_000)}
    answer = await still_world.ask("POST", "/api/v1/addresses", still_ada, json=body)
    assert answer.is_problem(422, "invalid-input")
    assert len(answer.json["errors"]) == 20


async def test_attack_073_two_megabytes(still_world: World, still_ada: Customer) -> None:
    body = json.dumps({"label": "x" * 2_000_000}).encode()
    answer = await still_world.ask("POST", "/api/v1/addresses", still_ada, data=io.BytesIO(body), headers=JSON)
    assert answer.is_problem(413, "body-too-large")


async def test_attack_072_two_megabytes_in_chunks(still_world: World, still_ada: Customer) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b" " * 10_000

    answer = await still_world.ask("POST", "/api/v1/addresses", still_ada, data=chunks(), headers=JSON)
    assert answer.is_problem(413, "body-too-large")


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/octet-stream"},
        {**JSON, "Content-Encoding": "gzip"},
        {**JSON, "Content-Encoding": "x-unknown"},
    ],
)
async def test_attack_071_another_type_or_encoding(
    still_world: World, still_ada: Customer, headers: dict[str, str]
) -> None:
    answer = await still_world.ask(
        "POST", "/api/v1/addresses", still_ada, data=gzip.compress(b"{}" * 100_000), headers=headers
    )
    assert answer.is_problem(415, "unsupported-media-type")
