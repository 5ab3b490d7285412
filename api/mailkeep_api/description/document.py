"""OpenAPI 3.1, generated from the route table: what a route declares is all there is to say."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue, models_json_schema
from pydantic_core.core_schema import NullableSchema, WithDefaultSchema

import mailkeep
from mailkeep.domain.scope import Scope
from mailkeep_api import problems
from mailkeep_api.description import headers
from mailkeep_api.description.examples import field_example, with_examples
from mailkeep_api.description.failures import REQUEST_ID, response_of, responses_of
from mailkeep_api.ids import ID_PATTERN
from mailkeep_api.routing import PUBLIC, Raw, Route

_Models = Mapping[tuple[Any, JsonSchemaMode], dict[str, Any]]  # a model and its mode → a reference to its schema
_REF: Final = "#/components/schemas/{model}"

INTERNAL: Final = "/api/internal/"  # what our own services ask of each other is described to nobody else
TAGS: Final = {
    "auth": "Register, log in and out, sessions and passwords.",
    "account": "The customer behind the credentials.",
    "addresses": "Where mail is received, and why some of it was not.",
    "messages": "What was received: lists, searches, waiting, reading, deleting.",
    "events": "What happens, as it happens.",
    "tokens": "Credentials for programs, with the scopes that they need and no others.",
    "audit": "Who did what with the account.",
    "billing": "The plan, and paying for it by Stripe. Where nothing is sold, all of these answer 404.",
    "administration": "For whoever runs the service, with the scope `admin`.",
    "reference": "The API, described for programs, and what can go wrong with it.",
    "operation": "For whoever watches the process, and for the load balancer.",
}

PROBLEM_SCHEMA: Final = {
    "type": "object",
    "description": "RFC 9457 problem details. `type` is stable: decide by it.",
    "required": ["type", "title", "status", "request_id"],
    "examples": [problems.document(problems.NOT_FOUND, REQUEST_ID)],
    "properties": {
        "type": {"type": "string", "enum": sorted(problem.type for problem in problems.KNOWN.values())},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "request_id": {"type": "string", "description": "also in the header X-Request-Id; name it when you ask us"},
        "errors": {
            "type": "array",
            "description": "the inputs at fault",
            "items": {
                "type": "object",
                "required": ["field", "code", "message"],
                "properties": {
                    **{name: {"type": "string"} for name in ("field", "code", "message")},
                    "position": {"type": "integer", "description": "of the first character at fault, from 0"},
                    "length": {"type": "integer", "description": "how many characters are at fault"},
                },
            },
        },
    },
}


class _Schema(GenerateJsonSchema):
    """What may be left out is optional in a request; it is not null."""

    def nullable_schema(self, schema: NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"]) if self.mode == "validation" else super().nullable_schema(schema)

    def default_schema(self, schema: WithDefaultSchema) -> JsonSchemaValue:
        without = self.mode == "validation" and schema.get("default") is None
        return self.generate_inner(schema["schema"]) if without else super().default_schema(schema)


def openapi_document(routes: Sequence[Route], *, server_url: str) -> dict[str, Any]:
    """The document as plain JSON values."""
    public = [route for route in routes if not route.path.startswith(INTERNAL)]
    models, definitions = _schemas(public)
    paths: dict[str, dict[str, Any]] = {}
    for route in public:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, models)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Mailkeep",
            "version": mailkeep.__version__,
            "summary": "Mail received for the systems you test, safe to look at.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": server_url}],
        "tags": [_tag(name) for name in dict.fromkeys(route.tag for route in public)],
        "paths": paths,
        "components": {
            "schemas": {**with_examples(definitions), "Problem": PROBLEM_SCHEMA},
            "responses": {slug: response_of([problem]) for slug, problem in problems.KNOWN.items()},
            "headers": headers.COMPONENTS,
            "securitySchemes": {
                "session": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "from a log-in"},
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "mk_…", "description": "for programs"},
            },
        },
    }


def _schemas(routes: Iterable[Route]) -> tuple[_Models, dict[str, Any]]:
    wanted: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {}
    for route in routes:
        if route.body is not None:
            wanted[route.body, "validation"] = None
        if isinstance(route.returns, type):
            wanted[route.returns, "serialization"] = None
    references, schema = models_json_schema(list(wanted), ref_template=_REF, schema_generator=_Schema)
    return references, schema.get("$defs", {})


def _operation(route: Route, models: _Models) -> dict[str, Any]:
    handler_name = getattr(route.handler, "__name__", route.audit)
    operation: dict[str, Any] = {
        "operationId": handler_name,
        "tags": [route.tag],
        "summary": (inspect.getdoc(route.handler) or handler_name).splitlines()[0],
        "description": inspect.getdoc(route.handler) or "",
        "parameters": [*_path_parameters(route), *_query_parameters(route), *headers.parameters_of(route)],
        "responses": _responses(route, models),
        "security": _security(route),
    }
    if route.body is not None:
        schema = models[route.body, "validation"]
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return operation


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    schema = {"type": "string", "pattern": ID_PATTERN}
    return [
        {"name": name, "in": "path", "required": True, "schema": schema, "example": field_example(name, schema)}
        for name in route.path_parameters
    ]


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    if route.query is None:
        return []
    schema = route.query.model_json_schema(ref_template=_REF, schema_generator=_Schema)
    required = schema.get("required", [])
    return [
        _query_parameter(name, property_schema, is_required=name in required)
        for name, property_schema in schema["properties"].items()
    ]


def _query_parameter(name: str, schema: dict[str, Any], *, is_required: bool) -> dict[str, Any]:
    example = schema.pop("examples", [field_example(name, schema)])[0]
    parameter = {"name": name, "in": "query", "required": is_required, "schema": schema, "example": example}
    return {**parameter, "description": schema["description"]} if "description" in schema else parameter


def _tag(name: str) -> dict[str, str]:
    return {"name": name, "description": TAGS[name]} if name in TAGS else {"name": name}


def _responses(route: Route, models: _Models) -> dict[str, Any]:
    responses: dict[str, Any] = {str(route.status): _success(route, models)}
    if route.etag and route.method == "GET":
        responses["304"] = {"description": "Unchanged since the ETag in If-None-Match"}
    return {**responses, **responses_of(route)}


def _success(route: Route, models: _Models) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": HTTPStatus(route.status).phrase, "headers": headers.of_success(route)}
    if isinstance(route.returns, Raw):
        answer["content"] = {media_type: {} for media_type in route.returns.media_types}
    elif route.returns is not None:
        answer["content"] = {"application/json": {"schema": models[route.returns, "serialization"]}}
    return answer


def _security(route: Route) -> list[dict[str, list[str]]]:
    if route.scope is PUBLIC:
        return []
    if isinstance(route.scope, Scope):
        # OpenAPI 3.1 lets a scheme of type http name the roles it takes.
        return [{"session": [route.scope.value]}, {"token": [route.scope.value]}]
    return [{"session": []}]
