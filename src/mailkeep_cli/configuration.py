"""`mailkeep config`: the configuration file, written from the settings themselves so that it cannot be wrong."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from mailkeep.config import FREE, PAID, Limits, Settings

_TIERS: Final = {"free": FREE, "paid": PAID}

_PREAMBLE: Final = (
    "Mailkeep's configuration. Name this file in MAILKEEP_CONFIG. Every key is shown with its default. Each can also "
    "be set in the environment as MAILKEEP_<SECTION>__<KEY>, or as MAILKEEP_<SECTION>__<KEY>_FILE, which names a "
    "file that holds the value: the way for secrets."
)
_WIDTH: Final = 100

commands = typer.Typer()


@commands.callback()
def _group() -> None:
    """The configuration."""


@commands.command()
def example() -> None:
    """Print a documented configuration file with every key at its default."""
    typer.echo("\n".join(_document()))


def _document() -> Iterator[str]:
    yield from _comment(_PREAMBLE)
    yield ""
    yield from _keys(Settings.model_fields)
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield ""
            yield from _comment(_sentence(_purpose(field.annotation)))
            yield f"[{name}]"
            yield from _keys(field.annotation.model_fields)
    for tier, limits in _TIERS.items():
        yield ""
        yield from _comment(_sentence(_purpose(Limits)))
        yield f"[tiers.{tier}]"
        yield from _keys(Limits.model_fields, limits.model_dump())


def _purpose(section: type[BaseModel]) -> str:
    return (section.__doc__ or "").partition(": ")[2].strip()


def _keys(fields: dict[str, FieldInfo], values: dict[str, Any] | None = None) -> Iterator[str]:
    for name, field in fields.items():
        if field.description is None:
            continue
        default = values[name] if values else field.default
        yield from _comment(f"{field.description}.")
        yield f"# {name} = {_toml(default)}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)


def _toml(value: Any) -> str:
    """A value as TOML writes it; what has no default is shown empty."""
    if value is None or value is PydanticUndefined:
        return '""'
    if hasattr(value, "get_secret_value"):
        return json.dumps(value.get_secret_value())
    if isinstance(value, tuple):
        return json.dumps([str(item) for item in value])
    return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)
