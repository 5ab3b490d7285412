"""Tables that people open in a spreadsheet."""

from __future__ import annotations

from typing import Final

# What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection).
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def no_formula(value: str) -> str:
    """The value, with an apostrophe before what a spreadsheet would calculate."""
    return f"'{value}" if value.startswith(_FORMULA) else value
