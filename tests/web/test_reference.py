"""/docs/api: everything that the API's own description says, and nothing from elsewhere."""

from __future__ import annotations

import re
from html import unescape

import pytest

from api.world import World
from mailkeep_web.reference import reference_of
from web.site import Visitor


async def test_every_operation_and_shape_is_there(site: World, stranger: Visitor) -> None:
    page = await stranger.get("/docs/api")
    assert page.status == 200
    document = (await site.ask("GET", "/api/v1/openapi.json")).json
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert f'id="{operation["operationId"]}"' in page.text, path
            assert operation["summary"] in unescape(page.text)
    for name in document["components"]["schemas"]:
        assert f'id="shape-{name}"' in page.text


async def test_no_link_on_it_leads_nowhere(stranger: Visitor) -> None:
    text = (await stranger.get("/docs/api")).text
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    for target in re.findall(r'\b(?:href|src)="([^"]+)"', text):
        if target.startswith("#"):
            assert target[1:] in ids
        else:
            assert target.startswith("/"), target  # nobody else's
            assert (await stranger.get(target)).status in (200, 303), target


async def test_whoever_is_logged_in_stays_so(ada: Visitor) -> None:
    assert "ada@example.org" in (await ada.get("/docs/api")).text


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "string", "maxLength": 5}, "string"),
        ({"$ref": "#/components/schemas/Thing"}, "Thing"),
        ({"anyOf": [{"$ref": "#/components/schemas/Thing"}, {"type": "null"}]}, "Thing or null"),
        ({"type": "array", "items": {"type": "string", "format": "date-time"}}, "list of date-time"),
        ({"enum": ["csv", "jsonl"], "type": "string"}, '"csv" | "jsonl"'),
        ({"const": "ok"}, '"ok"'),
    ],
)
def test_types_in_words(schema: dict[str, object], words: str) -> None:
    reference = reference_of(
        {
            "info": {"version": "1"},
            "servers": [{"url": "https://here.test"}],
            "tags": [],
            "paths": {},
            "components": {"schemas": {"Thing": {"properties": {"x": schema}, "required": ["x"]}}},
        }
    )
    (field,) = reference.shapes[0].fields
    assert (field.type, field.required) == (words, True)
