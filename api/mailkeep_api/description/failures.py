"""Which problems an operation can answer with, by what its route declares."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from mailkeep_api import problems
from mailkeep_api.description.headers import of_problem
from mailkeep_api.problems import Problem
from mailkeep_api.routing import PUBLIC, Raw, Route

REQUEST_ID: Final = "0199d2e0-0000-7000-8000-000000000000"
_COUNTED: Final = "/api/v1/"


def slugs_of(route: Route) -> list[str]:
    """In the order of their statuses."""
    slugs = {*_of_every_route(route), *_of_callers(route), *_of_inputs(route), *_of_keys(route), *route.problems}
    return sorted(slugs, key=lambda slug: (problems.KNOWN[slug].status, slug))


def _of_every_route(route: Route) -> Iterator[str]:
    yield from ("internal", "unavailable", "unsupported-media-type")
    if not isinstance(route.returns, Raw):
        yield "given-up"


def _of_callers(route: Route) -> Iterator[str]:
    if route.path.startswith(_COUNTED):
        yield "rate-exceeded"
    if route.scope is not PUBLIC:
        yield from ("not-authenticated", "not-allowed")


def _of_inputs(route: Route) -> Iterator[str]:
    if route.path_parameters:
        yield "not-found"
    yield "invalid-input"  # parameters that are not known
    if route.body is not None:
        yield from ("malformed", "request-timeout", "body-too-large")


def _of_keys(route: Route) -> Iterator[str]:
    if route.if_match:
        yield "precondition-failed"
    if route.idempotent:
        yield from ("idempotency-key-invalid", "idempotency-key-reused", "under-way", "done-already")


def responses_of(route: Route) -> dict[str, Any]:
    """By status; several problems with one status are told apart by their `type`."""
    by_status: dict[int, list[Problem]] = defaultdict(list)
    for slug in slugs_of(route):
        by_status[problems.KNOWN[slug].status].append(problems.KNOWN[slug])
    return {str(status): _response(found) for status, found in by_status.items()}


def _response(found: Sequence[Problem]) -> dict[str, Any]:
    if len(found) == 1:
        return {"$ref": f"#/components/responses/{found[0].slug}"}
    return response_of(found)


def response_of(found: Sequence[Problem]) -> dict[str, Any]:
    """A response that is one of these problems."""
    kinds = {"properties": {"type": {"enum": [problem.type for problem in found]}}}
    schema = {"allOf": [{"$ref": "#/components/schemas/Problem"}, kinds]}
    examples = {problem.slug: {"summary": problem.title, "value": _example(problem)} for problem in found}
    return {
        "description": ". Or: ".join(problem.title for problem in found),
        "headers": of_problem(found),
        "content": {problems.MEDIA_TYPE: {"schema": schema, "examples": examples}},
    }


def _example(problem: Problem) -> Mapping[str, object]:
    return problems.document(problem, REQUEST_ID)
