"""The forms that make and rotate tokens, which the customers' page and the administrators' have in common."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from mailkeep.domain.account import ApiToken
from mailkeep.domain.clock import utc_now
from mailkeep.domain.scope import Scope
from mailkeep.errors import InvalidInput
from mailkeep_web.forms import WHOLE_FORM, Form
from mailkeep_web.token_words import DEFAULT_LIFETIME, DEFAULT_OVERLAP, LIFETIMES, OVERLAPS, curl_command, site_origin
from mailkeep_web.visit import Visit

_TEXTS: Final = {
    "name": "Give it a name that tells what it is for, of at most 100 characters.",
    "scopes": "Choose at least one of these.",
    "expires": "Choose one of these.",
}
_OTHER: Final = "Something in this form is not right. Check it and send it again."


@dataclass(frozen=True, slots=True)
class NewToken:
    """What a form asks for."""

    name: str
    scopes: frozenset[Scope]
    expires_at: datetime | None


def new_token_form(*, scope: Scope) -> Form:
    """What stands in it at first."""
    return Form(values={"expires": DEFAULT_LIFETIME, scope.value: "on"})


def wanted_token(form: Form, offered: Collection[Scope]) -> NewToken:
    """Raises InvalidInput."""
    lifetime = LIFETIMES.get(form.value("expires"))
    if lifetime is None:
        raise InvalidInput("not one of the offered", field="expires")
    expires_at = None if lifetime[1] is None else utc_now() + lifetime[1]
    return NewToken(form.value("name"), frozenset(scope for scope in offered if form.value(scope.value)), expires_at)


def corrected(form: Form, error: InvalidInput) -> Form:
    """The form with what is wrong beside the field."""
    field = error.field if error.field in _TEXTS else WHOLE_FORM
    return form.with_error(field, _TEXTS.get(field, _OTHER))


def wanted_overlap(form: Form) -> timedelta:
    """Raises InvalidInput."""
    if form.value("overlap") not in OVERLAPS:
        raise InvalidInput("not one of the offered", field="overlap")
    return OVERLAPS[form.value("overlap")][1]


def choices() -> Mapping[str, object]:
    """What the forms' templates need."""
    return {
        "lifetimes": {key: words for key, (words, _) in LIFETIMES.items()},
        "overlaps": {key: words for key, (words, _) in OVERLAPS.items()},
        "default_overlap": DEFAULT_OVERLAP,
        "now": utc_now(),
    }


def shown_once(visit: Visit, text: str, token: ApiToken, *, rotated: bool) -> Mapping[str, object]:
    """A token with its text: in this answer, and nowhere else."""
    command = curl_command(site_origin(visit.request, visit.settings), text, token.scopes)
    until = token.previous_until if rotated and token.previous_until and token.previous_until > utc_now() else None
    return {"text": text, "token": token, "command": command, "rotated": rotated, "good_until": until}
