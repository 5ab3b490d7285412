"""Where settings come from: the environment, secret files, the TOML file; and how a wrong one is reported."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mailkeep.config import Settings
from mailkeep.errors import ConfigurationError

PREFIX: Final = "MAILKEEP_"
CONFIG: Final = "MAILKEEP_CONFIG"
# The environment of our tests, which is not configuration.
_FOREIGN: Final = "MAILKEEP_TEST_"
_FILE: Final = "_FILE"


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from all sources. Raises ConfigurationError, one line that says which key is wrong and why."""
    environ = os.environ if environ is None else environ
    values = _from_file(environ.get(CONFIG))
    for path, value in _from_environment(environ):
        _put(values, path, value)
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise ConfigurationError("; ".join(_complaint(details) for details in error.errors()[:5])) from error


def _from_file(name: str | None) -> dict[str, Any]:
    if not name:
        return {}
    try:
        return tomllib.loads(Path(name).read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(f"cannot read the configuration {name}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the configuration {name} is not TOML: {error}") from error


def _from_environment(environ: Mapping[str, str]) -> Iterator[tuple[list[str], str]]:
    """`MAILKEEP_LMTP__LISTEN=…` as (["lmtp", "listen"], …); `…_FILE` gives what the file holds."""
    for name, value in sorted(environ.items()):
        if not name.startswith(PREFIX) or name == CONFIG or name.startswith(_FOREIGN):
            continue
        key = name.removeprefix(PREFIX)
        if key.endswith(_FILE):
            key, value = key.removesuffix(_FILE), _content(name, value)
        yield key.lower().split("__"), value


def _content(name: str, path: str) -> str:
    try:
        return Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read the file that {name} names: {path}") from error


def _put(values: dict[str, Any], path: list[str], value: str) -> None:
    for section in path[:-1]:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise ConfigurationError(f"{'.'.join(path)}: {section} is a value, not a section")
    values[path[-1]] = value


def _complaint(details: ErrorDetails) -> str:
    where = [str(step) for step in details["loc"]]
    key = ".".join(where)
    if details["type"] == "extra_forbidden":
        return f"unknown key {key}{_suggestion(where)}: see `mailkeep config example`"
    return f"{key}: {details['msg'].removeprefix('Value error, ').lower()}"


def _suggestion(where: list[str]) -> str:
    section: type[BaseModel] | None = Settings
    for step in where[:-1]:
        field = section.model_fields.get(step) if section else None
        annotation = field.annotation if field else None
        section = annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
    close = difflib.get_close_matches(where[-1], section.model_fields, n=1) if section else []
    return f" (did you mean {close[0]}?)" if close else ""
