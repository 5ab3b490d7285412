"""The header fields of requests and answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from mailkeep_api.problems import Problem
from mailkeep_api.routing import Raw, Route

_STANDING: Final = ("RateLimit", "RateLimit-Policy")
_TEXT: Final = {"type": "string"}


def _header(description: str, example: object, schema: dict[str, Any] = _TEXT) -> dict[str, Any]:
    return {"description": description, "schema": schema, "example": example}


COMPONENTS: Final = {
    "Allow": _header("The methods that there are (RFC 9110 section 10.2.1)", "GET, HEAD"),
    "Content-Disposition": _header(
        "Save it, under this name (RFC 6266)", "attachment; filename=\"invoice.pdf\"; filename*=UTF-8''invoice.pdf"
    ),
    "ETag": _header(
        "Says which version this is: for If-None-Match, and for If-Match when you change it (RFC 9110 section 8.8.3)",
        '"9a0364b9e99bb480dd25e1f0284c8555"',
    ),
    "Idempotency-Replayed": _header(
        "The request with this Idempotency-Key has been done before, and this is its answer", "true", {"const": "true"}
    ),
    "Link": _header(
        "The next page (RFC 8288); absent on the last one", '</api/v1/addresses?before=0199d2e0>; rel="next"'
    ),
    "Location": _header("Where it is now", "/api/v1/addresses/0199d2e0-7a3c-7c51-9d3e-2f1b8a6c4e10"),
    "RateLimit": _header(
        "What is left (draft-ietf-httpapi-ratelimit-headers): `r` requests, and one more in `t` seconds",
        '"account";r=57;t=42',
    ),
    "RateLimit-Policy": _header("The limit: `q` requests in `w` seconds", '"account";q=60;w=60'),
    "Retry-After": _header("Wait for so many seconds", 5, {"type": "integer", "minimum": 0}),
    "WWW-Authenticate": _header("What credentials it takes (RFC 6750 section 3)", 'Bearer realm="mailkeep"'),
    "X-Request-Id": _header("Ours, of this request; name it when you ask us", "0199d2e0-0000-7000-8000-000000000000"),
}

_IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A string of your own, a random UUID for example. The same request sent again within 24 hours is "
    "answered again and not done again (draft-ietf-httpapi-idempotency-key-header). What failed can be sent again "
    "with the same key.",
    # A String of RFC 8941, or the same without quotes: see idempotency.key_of.
    "schema": {"type": "string", "pattern": r'^("[ !#-\[\]-~]{1,255}"|[!#-+\--\[\]-~]{1,255})$'},
    "example": "8e03978e-40d5-43dd-bc93-6894a57f9324",
}
_IF_MATCH: Final = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "An ETag: change it only if it is still that version, else 412. It takes the scope for reading too.",
    "schema": _TEXT,
    "example": '"9a0364b9e99bb480dd25e1f0284c8555"',
}
_IF_NONE_MATCH: Final = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "An ETag: 304 without a body if it is still that version",
    "schema": _TEXT,
    "example": '"9a0364b9e99bb480dd25e1f0284c8555"',
}


def parameters_of(route: Route) -> Iterator[dict[str, Any]]:
    """What a request can say in its header."""
    if route.idempotent:
        yield _IDEMPOTENCY_KEY
    if route.if_match:
        yield _IF_MATCH
    if route.etag and route.method == "GET":
        yield _IF_NONE_MATCH


def of_success(route: Route) -> dict[str, Any]:
    names = ["X-Request-Id"]
    if route.path.startswith("/api/v1/"):
        names += _STANDING
    if route.etag:
        names.append("ETag")
    if route.status == 201:
        names.append("Location")
    if route.idempotent:
        names.append("Idempotency-Replayed")
    if _is_list(route):
        names.append("Link")
    if isinstance(route.returns, Raw) and route.returns.is_download:
        names.append("Content-Disposition")
    return _references(names)


def of_problem(found: Sequence[Problem]) -> dict[str, Any]:
    statuses = {problem.status for problem in found}
    names = ["X-Request-Id", *_STANDING]
    if statuses & {429, 503} or any("Retry-After" in problem.headers for problem in found):
        names.append("Retry-After")
    if 401 in statuses:
        names.append("WWW-Authenticate")
    if 405 in statuses:
        names.append("Allow")
    return _references(names)


def _is_list(route: Route) -> bool:
    return isinstance(route.returns, type) and {"items", "next"} <= set(route.returns.model_fields)


def _references(names: Sequence[str]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in sorted(names)}
