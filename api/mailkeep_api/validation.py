"""What pydantic found wrong, said in our words: the input's name, a code that stays, and what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, TypeVar

from multidict import MultiMapping
from pydantic import BaseModel, ValidationError

from mailkeep_api.problems import INVALID, FieldError, RequestProblem

M = TypeVar("M", bound=BaseModel)

MAX_ERRORS: Final = 20
MAX_FIELD_CHARS: Final = 100

# By pydantic's error type; in braces, numbers of our own models. Nothing the caller sent is repeated.
_MESSAGES: Final = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "extra_forbidden": "is not known here",
    "float_parsing": "must be a number",
    "greater_than_equal": "must be at least {ge}",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a smaller number",
    "int_type": "must be a whole number",
    "less_than_equal": "must be at most {le}",
    "missing": "is required",
    "model_type": "must be a JSON object",
    "string_pattern_mismatch": "has another form than this takes",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must have at least {min_length} characters",
    "string_type": "must be a string",
}


def validate(model: type[M], value: object) -> M:
    """Raises RequestProblem (422), naming each field at fault."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)[:MAX_ERRORS]
        raise invalid(*(_field_error(item["type"], item["loc"], item.get("ctx", {})) for item in found)) from error


def validate_query(model: type[M], query: MultiMapping[str]) -> M:
    """Raises RequestProblem (422), also for a parameter given twice: two answers to one question."""
    repeated = [name for name, times in Counter(name for name, _ in query.items()).items() if times > 1]
    if repeated:
        raise invalid(*(FieldError(name[:MAX_FIELD_CHARS], "repeated", "must be given once") for name in repeated))
    return validate(model, dict(query))


def invalid(*fields: FieldError) -> RequestProblem:
    return RequestProblem(replace(INVALID, fields=fields[:MAX_ERRORS]))


def _field_error(code: str, location: tuple[int | str, ...], context: Mapping[str, Any]) -> FieldError:
    name = ".".join(str(step) for step in location) or "body"
    message = _MESSAGES.get(code, "is not valid").format_map(context)
    return FieldError(name[:MAX_FIELD_CHARS], code, message)
