"""The OpenAPI document: whole, and true to the route table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from api.world import World
from mailkeep.domain.scope import Scope
from mailkeep_api.app import ROUTES
from mailkeep_api.routing import PUBLIC


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
    assert {"title", "version"} <= set(document["info"])
    for reference in references(document):
        assert lookup(document, reference), reference

    operations = {
        (method.upper(), path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert set(operations) == {(route.method, route.path) for route in ROUTES}
    names = [operation["operationId"] for operation in operations.values()]
    assert len(set(names)) == len(names)


async def test_each_operation_says_what_its_route_declares(world: World) -> None:
    document = (await world.ask("GET", "/api/v1/openapi.json")).json
    for route in ROUTES:
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


async def test_the_shapes_of_issue_2(world: World) -> None:
    schemas = (await world.ask("GET", "/api/v1/openapi.json")).json["components"]["schemas"]
    assert "from" in schemas["MessageItem"]["properties"]
    assert schemas["Credentials"]["additionalProperties"] is False
    assert schemas["AddressChange"]["properties"]["active"]["type"] == "boolean"
    assert schemas["MessageItem"]["properties"]["received_at"]["format"] == "date-time"
