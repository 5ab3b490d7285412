"""The OpenAPI document: whole, and true to the route table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from api.world import World
from mailkeep.domain.scope import Scope
from mailkeep_api.app import ROUTES
from mailkeep_api.description.failures import slugs_of
from mailkeep_api.routing import PUBLIC

# What our own services ask of each other is described to nobody else.
DESCRIBED = [route for route in ROUTES if not route.path.startswith("/api/internal/")]


def references(value: object) -> Iterator[str]:
    """Every `$ref` below a JSON value."""
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for member in value.values():
            yield from references(member)
    elif isinstance(value, list):
        for member in value:
            yield from references(member)


def lookup(document: dict[str, Any], reference: str) -> Any:
    assert reference.startswith("#/")
    place: Any = document
    for step in reference[2:].split("/"):
        place = place[step]
    return place


async def test_the_document(world: World) -> None:
    answer = await world.ask("GET", "/api/v1/openapi.json")
    assert answer.headers["Content-Type"] == "application/json"
    document = answer.json
    assert document["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(document).validate()
    assert {"title", "version"} <= set(document["info"])
    for reference in references(document):
        assert lookup(document, reference), reference

    operations = {
        (method.upper(), path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert set(operations) == {(route.method, route.path) for route in DESCRIBED}
    names = [operation["operationId"] for operation in operations.values()]
    assert len(set(names)) == len(names)


async def test_each_operation_says_what_its_route_declares(world: World) -> None:
    document = (await world.ask("GET", "/api/v1/openapi.json")).json
    for route in DESCRIBED:
        operation = document["paths"][route.path][route.method.lower()]
        assert operation["summary"]
        assert str(route.status) in operation["responses"]
        parameters = {(parameter["in"], parameter["name"]) for parameter in operation["parameters"]}
        assert {("path", name) for name in route.path_parameters} <= parameters
        assert ("requestBody" in operation) == (route.body is not None)
        if route.scope is PUBLIC:
            assert operation["security"] == []
        else:
            assert "401" in operation["responses"]
            assert {"session", "token"} >= {name for way in operation["security"] for name in way}
        if isinstance(route.scope, Scope):
            assert {"token": [route.scope.value]} in operation["security"]


async def test_every_value_has_an_example_that_its_schema_allows(world: World) -> None:
    document = (await world.ask("GET", "/api/v1/openapi.json")).json
    components = {"components": document["components"]}
    for name, schema in document["components"]["schemas"].items():
        if "properties" in schema:
            (example,) = schema["examples"]
            jsonschema.validate(example, {**schema, **components}, cls=jsonschema.Draft202012Validator)
            assert example, name
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for parameter in operation["parameters"]:
                jsonschema.validate(parameter["example"], parameter["schema"], cls=jsonschema.Draft202012Validator)
            assert operation["description"], (method, path)


async def test_what_can_go_wrong_is_what_is_described(world: World) -> None:
    document = (await world.ask("GET", "/api/v1/openapi.json")).json
    responses = document["components"]["responses"]
    for route in DESCRIBED:
        described: set[str] = set()
        for status, response in document["paths"][route.path][route.method.lower()]["responses"].items():
            if int(status) < 400:
                continue
            found = lookup(document, response["$ref"]) if "$ref" in response else response
            examples = found["content"]["application/problem+json"]["examples"]
            assert {example["value"]["status"] for example in examples.values()} == {int(status)}
            assert {"RateLimit", "X-Request-Id"} <= set(found["headers"])
            described |= set(examples)
        assert described == set(slugs_of(route))
        assert described <= set(responses)


@pytest.mark.parametrize(
    ("operation", "status", "headers"),
    [
        ("create_address", "201", {"ETag", "Location", "Idempotency-Replayed", "RateLimit", "RateLimit-Policy"}),
        ("create_address", "409", {"Retry-After"}),
        ("list_addresses", "200", {"Link"}),
        ("get_source", "200", {"Content-Disposition", "ETag"}),
        ("get_account", "401", {"WWW-Authenticate"}),
        ("get_account", "429", {"Retry-After"}),
        ("get_account", "503", {"Retry-After"}),
    ],
)
async def test_headers_are_described(world: World, operation: str, status: str, headers: set[str]) -> None:
    document = (await world.ask("GET", "/api/v1/openapi.json")).json
    (found,) = [
        it["responses"][status]
        for methods in document["paths"].values()
        for it in methods.values()
        if it["operationId"] == operation
    ]
    assert headers <= set((lookup(document, found["$ref"]) if "$ref" in found else found)["headers"])


async def test_every_subject_is_described(world: World) -> None:
    document = (await world.ask("GET", "/api/v1/openapi.json")).json
    assert all(tag.get("description") for tag in document["tags"])
    assert "internal" not in {tag["name"] for tag in document["tags"]}


async def test_the_shapes_of_issue_2(world: World) -> None:
    schemas = (await world.ask("GET", "/api/v1/openapi.json")).json["components"]["schemas"]
    assert "from" in schemas["MessageItem"]["properties"]
    assert schemas["Credentials"]["additionalProperties"] is False
    assert schemas["AddressChange"]["properties"]["active"]["type"] == "boolean"
    assert schemas["MessageItem"]["properties"]["received_at"]["format"] == "date-time"
