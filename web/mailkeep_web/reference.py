"""The OpenAPI document as people read it: operations by subject, and the shapes that they take and give."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

_PREFIX: Final = "#/components/schemas/"
_METHODS: Final = ("get", "post", "put", "patch", "delete")
# What JSON Schema says of a value, in words.
_LIMITS: Final = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "maxLength": "at most {} characters",
    "maxItems": "at most {}",
    "pattern": "like {}",
}
_UNLIMITED: Final = 2**63 - 1  # as far as anybody counts


@dataclass(frozen=True, slots=True)
class Field:
    """An input or an output. `shape` names the shape it has, to link to; empty for a plain value."""

    name: str
    type: str
    shape: str
    required: bool
    note: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes back: `status` and, of a failure, the `problem`'s name; `shape` or media types of a success."""

    status: str
    text: str
    shape: str = ""
    media_types: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    """A route. `scope`: what it needs, in words; `command`: how to try it with curl."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    scope: str
    parameters: Sequence[Field]
    body: str
    answers: Sequence[Answer]
    command: str


@dataclass(frozen=True, slots=True)
class Section:
    name: str
    description: str
    operations: Sequence[Operation]


@dataclass(frozen=True, slots=True)
class Shape:
    name: str
    description: str
    fields: Sequence[Field]


@dataclass(frozen=True, slots=True)
class Reference:
    version: str
    sections: Sequence[Section]
    shapes: Sequence[Shape]


def reference_of(document: Mapping[str, Any]) -> Reference:
    """What the document says, by subject."""
    schemas = document["components"]["schemas"]
    sections = [
        Section(tag["name"], tag.get("description", ""), tuple(_operations(document, tag["name"])))
        for tag in document["tags"]
    ]
    shapes = [Shape(name, schema.get("description", ""), tuple(_fields(schema))) for name, schema in schemas.items()]
    return Reference(document["info"]["version"], sections, sorted(shapes, key=lambda shape: shape.name))


def _operations(document: Mapping[str, Any], tag: str) -> Iterator[Operation]:
    server = document["servers"][0]["url"]
    for path, methods in document["paths"].items():
        for method in _METHODS:
            operation = methods.get(method)
            if operation is not None and tag in operation["tags"]:
                yield _operation(document, server, (method.upper(), path), operation)


def _operation(
    document: Mapping[str, Any], server: str, place: tuple[str, str], operation: Mapping[str, Any]
) -> Operation:
    method, path = place
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    shape = _shape_in(body)
    return Operation(
        id=operation["operationId"],
        method=method,
        path=path,
        summary=operation["summary"],
        description=operation["description"].removeprefix(operation["summary"]).strip(),
        scope=_scope(operation["security"]),
        parameters=tuple(map(_parameter, operation["parameters"])),
        body=shape,
        answers=tuple(_answers(document, operation["responses"])),
        command=_command(document, method, f"{server}{path}", shape, secured=bool(operation["security"])),
    )


def _scope(security: Sequence[Mapping[str, Sequence[str]]]) -> str:
    if not security:
        return "no credentials"
    scopes = sorted({scope for way in security for names in way.values() for scope in names})
    return f"the scope {' '.join(scopes)}" if scopes else "a log-in, not a token"


def _parameter(parameter: Mapping[str, Any]) -> Field:
    field = _field(parameter["name"], parameter["schema"], required=parameter.get("required", False))
    note = "; ".join(filter(None, (parameter.get("description", ""), field.note)))
    return Field(field.name, f"{field.type}, in the {parameter['in']}", field.shape, field.required, note)


def _answers(document: Mapping[str, Any], responses: Mapping[str, Any]) -> Iterator[Answer]:
    for status, response in sorted(responses.items()):
        if "$ref" in response:
            problem = response["$ref"].rpartition("/")[2]
            text = document["components"]["responses"][problem]["description"]
            yield Answer(status, text, problem=problem)
        else:
            content = response.get("content", {})
            shape = _shape_in(content.get("application/json", {}).get("schema", {}))
            yield Answer(status, response["description"], shape=shape, media_types=() if shape else tuple(content))


def _fields(schema: Mapping[str, Any]) -> Iterator[Field]:
    required = schema.get("required", ())
    for name, described in schema.get("properties", {}).items():
        yield _field(name, described, required=name in required)


def _field(name: str, schema: Mapping[str, Any], *, required: bool) -> Field:
    notes = [schema["description"]] if "description" in schema else []
    notes += [text.format(schema[key]) for key, text in _LIMITS.items() if schema.get(key, _UNLIMITED) != _UNLIMITED]
    if schema.get("default") not in (None, ""):
        notes.append(f"{json.dumps(schema['default'])} when it is not given")
    return Field(name, _type(schema), _shape_in(schema), required, "; ".join(notes))


def _type(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(map(_type, schema["anyOf"])))
    if "$ref" in schema:
        return str(schema["$ref"].removeprefix(_PREFIX))
    if "enum" in schema or "const" in schema:
        return " | ".join(map(json.dumps, schema.get("enum", [schema.get("const")])))
    if schema.get("type") == "array":
        items = schema.get("items") or (schema.get("prefixItems") or [{}])[0]
        return f"list of {_type(items)}"
    return str(schema.get("format") or schema.get("type", "any"))


def _shape_in(schema: Mapping[str, Any]) -> str:
    """The first shape that a schema names; empty when it names none."""
    if "$ref" in schema:
        return str(schema["$ref"].removeprefix(_PREFIX))
    inner = [*schema.get("anyOf", ()), *schema.get("allOf", ()), *filter(None, [schema.get("items")])]
    return next(filter(None, map(_shape_in, inner)), "")


def _command(document: Mapping[str, Any], method: str, url: str, shape: str, *, secured: bool) -> str:
    parts = ["curl"] + ([f"-X {method}"] if method != "GET" else [])
    if secured:
        parts.append('-H "Authorization: Bearer $TOKEN"')
    if shape:
        example = json.dumps(_example(document["components"]["schemas"][shape]))
        parts += ["-H 'Content-Type: application/json'", f"-d '{example}'"]
    return " ".join([*parts, f"'{url}'"])


def _example(schema: Mapping[str, Any]) -> dict[str, Any]:
    if schema.get("examples"):
        return dict(schema["examples"][0])
    return {
        name: described["examples"][0]
        for name, described in schema.get("properties", {}).items()
        if "examples" in described
    }
