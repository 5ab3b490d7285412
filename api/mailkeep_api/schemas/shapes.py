"""What every model of the API is built on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema, field_validator

from mailkeep.domain.clock import rfc3339
from mailkeep_api.ids import ID_PATTERN

MAX_SEQ: Final = 2**63 - 1  # what the database's integers hold
MAX_PAGE: Final = 200

Instant = Annotated[
    datetime,
    PlainSerializer(rfc3339, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-24T09:30:00.123456Z"]}),
]


def _instant(value: object) -> datetime:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    if moment is None or moment.tzinfo is None:
        raise ValueError("not a time with its zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("before the year 1, or after 9999") from error


InstantIn = Annotated[
    datetime,
    BeforeValidator(_instant),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-24T09:30:00.123456Z"]}),
]
Seq = Annotated[int, Field(ge=0, le=MAX_SEQ)]
Id = Annotated[str, Field(pattern=ID_PATTERN)]
Flag = Literal["0", "1", "false", "true"]


def without_default(schema: dict[str, Any]) -> None:
    """For `json_schema_extra` of a field that means nothing when it is not given."""
    schema.pop("default", None)


class In(BaseModel):
    """A request body: exactly these fields, of exactly these types. What is not meant is left out; it is not null."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @field_validator("*", mode="before")
    @classmethod
    def _not_null(cls, value: object) -> object:
        if value is None:
            raise ValueError("null")
        return value


class Query(BaseModel):
    """Query parameters: text, read as what the field asks for."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Out(BaseModel):
    """An answer, or a part of one."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class StatusOut(Out):
    status: Literal["ok"] = "ok"
