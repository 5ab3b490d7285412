"""What each kind of problem means and what to do, for `/problems/{slug}`: where the `type` of a problem leads."""

from __future__ import annotations

import html
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from mailkeep_api.problems import KNOWN


@dataclass(frozen=True, slots=True)
class Explanation:
    meaning: str
    what_to_do: str


EXPLANATIONS: Final = {
    "already-subscribed": Explanation(
        "The account pays for a plan already, or was given one by whoever runs the service.",
        "Use the portal to change or cancel what is paid for; ask whoever runs the service about what was given.",
    ),
    "billing-off": Explanation(
        "Nothing is sold on this installation: it has no keys of a payment provider (`billing`).",
        "Ask whoever runs the service for another plan.",
    ),
    "body-too-large": Explanation(
        "The body of the request is larger than this service takes (`http.max_body_bytes`, one megabyte unless set).",
        "Send less at once.",
    ),
    "conflict": Explanation(
        "What you wanted to make exists already. Of an address: somebody has it, or had it before; a deleted address "
        "is given to nobody again.",
        "Choose another name, or use the one that exists if it is yours.",
    ),
    "done-already": Explanation(
        "A request with this Idempotency-Key was done when it was first sent. Its answer held a secret that is shown "
        "once, or the service was stopped before the answer was kept, so it cannot be given again.",
        "Look what there is now. If you lost a secret, delete what it belongs to and make a new one with another key.",
    ),
    "given-up": Explanation(
        "The request was worked on for longer than this service allows (`http.handler_timeout_s`). What was not "
        "finished was undone.",
        "Wait for as long as Retry-After says, then ask again, for less if you can.",
    ),
    "idempotency-key-invalid": Explanation(
        "Idempotency-Key is one string of 1 to 255 printable ASCII characters, in double quotes or without spaces and "
        "commas.",
        "Make a new key for each thing that you want done; a random UUID is a good one.",
    ),
    "idempotency-key-reused": Explanation(
        "You have sent this Idempotency-Key within the last day with another route or another body.",
        "Use a new key for a new request. If this is the same request, send exactly what you sent before.",
    ),
    "internal": Explanation(
        "Something failed that should not. It is not your request's fault.",
        "Ask again later. If it stays, tell whoever runs the service the `request_id`.",
    ),
    "invalid-input": Explanation(
        "The request was understood, and some of it cannot be accepted. `errors` names each input at fault, with a "
        "stable `code` and a `message` that says what is wanted.",
        "Change what `errors` names and send it again.",
    ),
    "limit-reached": Explanation(
        "Your plan allows no more of these.",
        "Delete one that you no longer need, or change to a larger plan.",
    ),
    "malformed": Explanation(
        "The body is not JSON in UTF-8, or JSON that different readers understand differently: a name twice in an "
        "object, NaN, half a surrogate pair, nesting or digits without end (RFC 7493).",
        "Write the body with a JSON library.",
    ),
    "message-too-large": Explanation(
        "The message is larger than this service takes (`lmtp.max_message_bytes`).",
        "Send a smaller message.",
    ),
    "method-not-allowed": Explanation(
        "There is something here, and it does not do that. `Allow` says what it does.",
        "Use one of the methods in `Allow`.",
    ),
    "not-allowed": Explanation(
        "We know who you are, and you may not do this. When a scope is missing, WWW-Authenticate names it; some things "
        "are only for whoever logged in, not for tokens; and what is switched off is for nobody.",
        "Use credentials that have the scope, or ask whoever runs the service.",
    ),
    "not-authenticated": Explanation(
        "There are no credentials, or they are wrong, expired or revoked; or email address and password do not fit.",
        "Log in again, or send a valid token as `Authorization: Bearer …`.",
    ),
    "not-found": Explanation(
        "It does not exist, has been deleted, or belongs to somebody else: the answer is the same.",
        "Check the path and the id. Messages are deleted when their time is over (`expires_at`).",
    ),
    "not-http": Explanation(
        "What arrived is no request that HTTP allows: a malformed header, two lengths, an unknown method, or no HTTP "
        "at all. The connection is closed.",
        "Send the request with an HTTP library; if there is a proxy in between, look at what it sends.",
    ),
    "not-subscribed": Explanation(
        "The account has never paid for a plan, so there is nothing to look after.",
        "Begin with `POST /api/v1/billing/checkout`.",
    ),
    "payments-unavailable": Explanation(
        "The payment provider does not answer, or not as it should. Nothing has changed, and nothing was charged.",
        "Wait for as long as Retry-After says, then ask again.",
    ),
    "precondition-failed": Explanation(
        "If-Match names another version than there is now: somebody has changed it since you read it. Nothing was "
        "changed.",
        "Read it again, decide anew, and send the new ETag.",
    ),
    "quarantined": Explanation(
        "A scanner found malware in these bytes. They are given to nobody.",
        "Use what can be read safely: the headers, the text, the structure of the message.",
    ),
    "quota-exceeded": Explanation(
        "Your account has no storage left.",
        "Delete messages, or change to a larger plan. Mail is received again as soon as there is room.",
    ),
    "rate-exceeded": Explanation(
        "You have sent too many requests for now: more than your plan allows in a minute, or without valid credentials "
        "more than one client may, or you failed to log in too often. RateLimit and RateLimit-Policy say where you "
        "stand.",
        "Wait for as long as Retry-After says. Use `wait=` instead of asking again and again.",
    ),
    "request-timeout": Explanation(
        "The body of the request did not arrive in time.",
        "Send it again over a better connection.",
    ),
    "signature-invalid": Explanation(
        "What came to the webhook is not signed with the secret that was agreed, or was signed more than five minutes "
        "ago. The signature is over the body byte for byte.",
        "Compare the secret with that of the endpoint, look at the clock, and let no proxy change the body.",
    ),
    "unavailable": Explanation(
        "The database or the storage does not answer. Nothing is lost: mail waits until they are back.",
        "Wait for as long as Retry-After says, then ask again. With an Idempotency-Key nothing is done twice.",
    ),
    "under-way": Explanation(
        "The first request with this Idempotency-Key has not been answered yet.",
        "Wait a moment and send the same request again: you get the answer of the first one.",
    ),
    "unsupported-media-type": Explanation(
        "This takes `application/json` in UTF-8, without a Content-Encoding.",
        "Set Content-Type to application/json and send the body as it is.",
    ),
}


def explanation_of(slug: str) -> tuple[str, int, Explanation] | None:
    """Title, status and explanation; None for what is no kind of problem."""
    problem = KNOWN.get(slug)
    if problem is not None:
        return problem.title, problem.status, EXPLANATIONS[slug]
    prefix, _, number = slug.partition("-")
    if prefix != "http" or number not in {str(status.value) for status in HTTPStatus if 400 <= status < 500}:
        return None
    status = HTTPStatus(int(number))
    return status.phrase, status.value, Explanation(f"{status.description or status.phrase}.", "Change the request.")


def page_of(title: str, status: int, explanation: Explanation) -> str:
    """A document without a style and without anything to load."""
    title, meaning, what_to_do = map(html.escape, (title, explanation.meaning, explanation.what_to_do))
    return (
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{title}</title></head>\n<body>\n<main>\n'
        f"<h1>{title}</h1>\n<p>HTTP status {status}</p>\n<h2>What it means</h2>\n<p>{meaning}</p>\n"
        f"<h2>What to do</h2>\n<p>{what_to_do}</p>\n</main>\n</body>\n</html>\n"
    )
