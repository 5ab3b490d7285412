"""Errors as RFC 9457 problem details. Core knows no HTTP: this table is where its errors get a status.

No text here comes from an exception. What is not in the table is a fault of ours: 500, and only the request's id.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from http import HTTPStatus
from typing import Final

from aiohttp import web

from mailkeep import errors

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_S: Final = 5  # a database that is down rarely comes back sooner
CHALLENGE: Final = 'Bearer realm="mailkeep"'  # RFC 6750 section 3


@dataclass(frozen=True, slots=True)
class FieldError:
    """One input at fault: its name, a stable code, and what to do.

    `position` and `length` say which characters of it, counted from 0, where that is known.
    """

    field: str
    code: str
    message: str
    position: int | None = None
    length: int | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """One kind of failure. `slug` makes the stable `type`; `headers` go with the answer."""

    status: int
    slug: str
    title: str
    detail: str = ""
    fields: tuple[FieldError, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def type(self) -> str:
        return f"/problems/{self.slug}"


class RequestProblem(Exception):
    """A request that this room refuses before core sees it."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.slug)
        self.problem = problem


MALFORMED: Final = Problem(400, "malformed", "The request cannot be understood")
NOT_HTTP: Final = Problem(400, "not-http", "This is no request that HTTP allows")
INTERNAL: Final = Problem(500, "internal", "Something went wrong on our side")
NOT_FOUND: Final = Problem(404, "not-found", "There is no such thing here")
METHOD_NOT_ALLOWED: Final = Problem(405, "method-not-allowed", "This resource does not do that")
TOO_SLOW: Final = Problem(408, "request-timeout", "The request took too long to arrive")
BODY_TOO_LARGE: Final = Problem(413, "body-too-large", "The request body is too large")
UNSUPPORTED_MEDIA_TYPE: Final = Problem(
    415, "unsupported-media-type", "The request body has another type than this takes"
)
INVALID: Final = Problem(422, "invalid-input", "Some of the input is not valid")
PRECONDITION_FAILED: Final = Problem(412, "precondition-failed", "It is no longer what If-Match says")
GIVEN_UP: Final = Problem(
    503, "given-up", "This took too long and was given up", headers={"Retry-After": str(RETRY_AFTER_S)}
)
KEY_INVALID: Final = Problem(
    400, "idempotency-key-invalid", "The Idempotency-Key must be one string of 1 to 255 printable ASCII characters"
)
KEY_REUSED: Final = Problem(422, "idempotency-key-reused", "This Idempotency-Key was used for another request")
UNDER_WAY: Final = Problem(
    409, "under-way", "The first request with this Idempotency-Key is under way", headers={"Retry-After": "1"}
)
DONE_ALREADY: Final = Problem(
    409, "done-already", "This was done when it was first sent, and its answer cannot be given again"
)
NOT_AUTHENTICATED: Final = Problem(
    401, "not-authenticated", "Log in, or send a valid token", headers={"WWW-Authenticate": CHALLENGE}
)
NOT_ALLOWED: Final = Problem(403, "not-allowed", "You may not do this")

_TABLE: Final[tuple[tuple[type[Exception], Problem], ...]] = (
    (errors.ConfigurationError, INTERNAL),  # the operator's to mend, though it is an InvalidInput
    (errors.SignatureInvalid, Problem(400, "signature-invalid", "This is not signed by whom it claims to be from")),
    (errors.InvalidInput, INVALID),
    (errors.BillingOff, Problem(404, "billing-off", "This service takes no payments")),
    (errors.NotFound, NOT_FOUND),
    (errors.AlreadySubscribed, Problem(409, "already-subscribed", "There is a subscription: change it in the portal")),
    (errors.NotSubscribed, Problem(409, "not-subscribed", "There is no subscription to manage")),
    (errors.Conflict, Problem(409, "conflict", "It exists already")),
    (errors.PreconditionFailed, PRECONDITION_FAILED),
    (errors.NotAuthenticated, NOT_AUTHENTICATED),
    (errors.Quarantined, Problem(403, "quarantined", "A scanner found malware in this: nobody is given it")),
    (errors.NotAllowed, NOT_ALLOWED),
    (errors.LimitReached, Problem(403, "limit-reached", "Your plan allows no more of these")),
    (errors.RateExceeded, Problem(429, "rate-exceeded", "Too many requests for now")),
    (errors.QuotaExceeded, Problem(403, "quota-exceeded", "Your account has no storage left")),
    (errors.MessageTooLarge, Problem(413, "message-too-large", "The message is too large")),
    (
        errors.PaymentsUnavailable,
        Problem(
            503,
            "payments-unavailable",
            "The payment service does not answer; nothing was changed",
            headers={"Retry-After": str(RETRY_AFTER_S)},
        ),
    ),
    (
        errors.Unavailable,
        Problem(503, "unavailable", "Try again in a moment", headers={"Retry-After": str(RETRY_AFTER_S)}),
    ),
    (web.HTTPNotFound, NOT_FOUND),
    (web.HTTPMethodNotAllowed, METHOD_NOT_ALLOWED),
    (web.HTTPRequestEntityTooLarge, BODY_TOO_LARGE),
    (web.RequestPayloadError, MALFORMED),
)
_OF_THE_ROOM: Final = (
    MALFORMED,
    NOT_HTTP,
    TOO_SLOW,
    UNSUPPORTED_MEDIA_TYPE,
    KEY_INVALID,
    KEY_REUSED,
    UNDER_WAY,
    DONE_ALREADY,
    GIVEN_UP,
)
KNOWN: Final = {problem.slug: problem for problem in (*_OF_THE_ROOM, *(problem for _, problem in _TABLE))}

_PASSWORD: Final = "must have 12 characters or more, at most 1,024 bytes, and not be one of the common passwords"  # noqa: S105  advice
# What core refuses, said in our words: the field is all that is taken from the error.
_FIELD_MESSAGES: Final = {
    "address": "must be local-part@domain, under a domain of yours",
    "current": "is not your password",
    "interval": "is not offered",
    "expires_at": "must be a time to come",
    "email": "must be an email address",
    "label": "is too long, or holds control characters",
    "local_part": "must be letters, digits, dots and hyphens, without a subaddress",
    "new": _PASSWORD,
    "name": "must have some letters, and no control characters",
    "password": _PASSWORD,
    "scopes": "must be scopes that you hold yourself; tokens:write is for no token",
}


def problem_of(error: Exception) -> Problem:
    """The problem that an error is shown as; INTERNAL for every error that nobody planned."""
    if isinstance(error, RequestProblem):
        return error.problem
    problem = next((problem for kind, problem in _TABLE if isinstance(error, kind)), None)
    if problem is None:
        return _by_status(error)
    if isinstance(error, errors.QueryError):
        # Its text is made for whoever wrote the search, and holds nothing but our own words.
        fault = FieldError("q", "invalid_query", str(error), position=error.position, length=error.length)
        return replace(problem, fields=(fault,))
    if isinstance(error, errors.InvalidInput) and error.field is not None:
        message = _FIELD_MESSAGES.get(error.field, "is not valid")
        return replace(problem, fields=(FieldError(error.field, "invalid", message),))
    if isinstance(error, errors.RateExceeded):
        return replace(problem, headers={"Retry-After": str(error.retry_after_s)})
    if isinstance(error, web.HTTPMethodNotAllowed):
        # RFC 9110 section 15.5.6: a 405 says what is allowed.
        return replace(problem, headers={"Allow": ", ".join(sorted(error.allowed_methods))})
    return problem


def _by_status(error: Exception) -> Problem:
    if isinstance(error, web.HTTPException) and 400 <= error.status < 500:
        return Problem(error.status, f"http-{error.status}", HTTPStatus(error.status).phrase)
    return INTERNAL


def document(problem: Problem, request_id: str) -> dict[str, object]:
    """The members of RFC 9457 section 3.1, with ours beside them."""
    members: dict[str, object] = {"type": problem.type, "title": problem.title, "status": problem.status}
    if problem.detail:
        members["detail"] = problem.detail
    if problem.fields:
        members["errors"] = [
            {name: value for name, value in asdict(error).items() if value is not None} for error in problem.fields
        ]
    members["request_id"] = request_id
    return members


def problem_response(problem: Problem, request_id: str) -> web.Response:
    body = json.dumps(document(problem, request_id)).encode()
    return web.Response(status=problem.status, body=body, content_type=MEDIA_TYPE, headers=problem.headers)
