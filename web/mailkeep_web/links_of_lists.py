"""Links that lead on in a list and keep its filters."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode


def with_query(path: str, parts: Mapping[str, str | None]) -> str:
    """`path` with what is not empty."""
    query = urlencode({name: value for name, value in parts.items() if value})
    return f"{path}?{query}" if query else path
