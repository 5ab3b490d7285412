"""An example of every value, by the name of its field, where the model itself gives none.

A model's own `examples` come first. What is neither there nor here gets one by its type.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

_ID: Final = "0199d2e0-7a3c-7c51-9d3e-2f1b8a6c4e10"
_TIME: Final = "2026-11-24T09:30:00.123456Z"

# Where fields do not go together, or an empty object would be no example.
MODELS: Final[Mapping[str, Any]] = {
    "AddressIn": {"local_part": "signup-tests", "label": "sign-up tests"},
    "AddressChange": {"label": "sign-up tests", "active": False},
}
FIELDS: Final[Mapping[str, Any]] = {
    "account": _ID,
    "account_id": _ID,
    "actor": _ID,
    "actor_id": _ID,
    "actor_kind": "user",
    "action": "address.create",
    "address": "signup-tests@mail.test",
    "address_id": _ID,
    "after": 41,
    "attachment_id": _ID,
    "before": _ID,
    "client_ip": "192.0.2.7",
    "client_name": "mx.example.org",
    "code": 550,
    "content_id": "logo@example.org",
    "cursor": 42,
    "declared_type": "application/pdf",
    "defects": ["a header line that is no header"],
    "deleted": 3,
    "detail": "",
    "detected_type": "application/pdf",
    "disposition": "attachment",
    "email": "ada@example.org",
    "filename": "invoice.pdf",
    "headers": [["Subject", "Confirm your address"]],
    "helo": "mx.example.org",
    "host": "shop.example.org",
    "href": "https://shop.example.org/confirm",
    "html": "<p>Hello</p>",
    "id": _ID,
    "kept": ["the audit log, without addresses"],
    "label": "sign-up tests",
    "limit": 50,
    "mail_from": "sender@example.org",
    "malware": "",
    "message_id": "<20261124093000.1@example.org>",
    "name": "Example Shop",
    "next": None,
    "original_filename": "invoice.pdf",
    "outcome": "done",
    "protocol": "ESMTPS",
    "q": 'from:shop subject:"order 17"',
    "rcpt_to": "signup-tests@mail.test",
    "reason": "mailbox full",
    "request_id": _ID,
    "resource": _ID,
    "sanitised": "<p>Hello</p>",
    "section": "1.2",
    "seq": 42,
    "session_id": _ID,
    "sha256": "0" * 64,
    "size_bytes": 2048,
    "slug": "not-found",
    "snippet": "Hello, please confirm your address.",
    "storage_bytes": 52_428,
    "subject": "Confirm your address",
    "tag": "run-17",
    "text": "Hello, please confirm your address.",
    "tier": "free",
    "tls": "TLSv1.3",
    "token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.c2lnbmF0dXJl",
    "type": "text/plain",
    "user_agent": "curl/8.11.0",
    "why": ["other-host"],
}


def with_examples(schemas: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The schemas of models, with an example at each field and of each model as a whole."""
    for schema in schemas.values():
        for name, described in schema.get("properties", {}).items():
            if not _refers(described) and "examples" not in described:
                described["examples"] = [field_example(name, described)]
    for name, schema in schemas.items():
        if schema.get("type") == "object" and "properties" in schema and "examples" not in schema:
            schema["examples"] = [MODELS[name] if name in MODELS else _of_schema(schema, schemas, depth=0)]
    return schemas


def field_example(name: str, schema: Mapping[str, Any]) -> Any:
    """An example that the schema allows."""
    example = FIELDS.get(name)
    return example if name in FIELDS and _allows(schema, example) else _by_type(schema)


def _of_schema(schema: Mapping[str, Any], schemas: Mapping[str, Mapping[str, Any]], *, depth: int) -> Any:
    """What the examples of the fields make together; shapes within shapes are followed so far and no further."""
    if "$ref" in schema:
        return _of_schema(schemas[schema["$ref"].rpartition("/")[2]], schemas, depth=depth + 1)
    if "properties" in schema:
        fields = schema["properties"].items()
        return {name: _of_schema(described, schemas, depth=depth) for name, described in fields}
    if schema.get("examples"):
        return schema["examples"][0]
    if schema.get("type") == "array":
        items = schema.get("items", {})
        return [] if depth > 2 or not _refers(items) else [_of_schema(items, schemas, depth=depth + 1)]
    if "anyOf" in schema:
        return None if depth > 2 else _of_schema(schema["anyOf"][0], schemas, depth=depth + 1)
    return _by_type(schema)


def _refers(schema: Mapping[str, Any]) -> bool:
    """Whether another model is in it, which has an example of its own."""
    inner = [*schema.get("anyOf", ()), *schema.get("allOf", ()), *filter(None, [schema.get("items")])]
    return "$ref" in schema or any(_refers(part) for part in inner if isinstance(part, Mapping))


def _allows(schema: Mapping[str, Any], example: object) -> bool:
    kinds: dict[str, type | tuple[type, ...]] = {
        "string": str,
        "integer": int,
        "number": (int, float),
        "boolean": bool,
        "array": list,
        "null": type(None),
    }
    if "enum" in schema or "const" in schema:
        return example in schema.get("enum", [schema.get("const")])
    if "anyOf" in schema:
        return any(_allows(part, example) for part in schema["anyOf"])
    kind = kinds.get(schema.get("type", ""))
    if "pattern" in schema and not (isinstance(example, str) and re.search(schema["pattern"], example)):
        return False
    if kind is None or not isinstance(example, kind) or schema.get("format") == "date-time":
        return False
    return not isinstance(example, list) or not example or _allows(schema.get("items", {"type": "array"}), example[0])


def _by_type(schema: Mapping[str, Any]) -> Any:
    if "default" in schema:
        return schema["default"]
    if "enum" in schema or "const" in schema:
        return schema.get("enum", [schema.get("const")])[0]
    if "anyOf" in schema:
        return _by_type(schema["anyOf"][0])
    if "pattern" in schema:
        return _ID  # all patterns but those of fields that have an example are of ids
    if schema.get("format") == "date-time":
        return _TIME
    by_type = {"boolean": True, "integer": max(1, schema.get("minimum", 1)), "number": 0.5, "array": [], "object": {}}
    return by_type.get(schema.get("type", ""), "text" if schema.get("type") == "string" else None)
