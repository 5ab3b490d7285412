"""Every colour of a text on every colour that it can stand on, in both themes, by the tokens of the style sheet."""

from __future__ import annotations

import re
from importlib import resources
from itertools import product
from typing import Final

import pytest

TEXTS: Final = ("ink", "quiet", "accent", "accent-hover", "danger", "warning")
GROUNDS: Final = ("page", "surface", "sunken", "accent-soft", "danger-soft", "warning-soft")
ON_ACCENT: Final = (("on-accent", "accent"), ("on-accent", "accent-hover"))
TEXT_CONTRAST: Final = 4.5  # WCAG 2.2, 1.4.3
EDGE_CONTRAST: Final = 3.0  # WCAG 2.2, 1.4.11: what shows where a field or a button is
EDGES: Final = tuple(product(("line-strong", "accent", "danger"), ("page", "surface")))

TOKENS: Final = (resources.files("mailkeep_web") / "styles" / "tokens.css").read_text("utf-8")


def colours(theme: str) -> dict[str, str]:
    """The colours by name; the dark theme changes the light one."""
    light, dark = TOKENS.split("@media (prefers-color-scheme: dark)")
    found: dict[str, str] = {}
    for block in (light, dark) if theme == "dark" else (light,):
        found |= dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))
    return found


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2, definitions)."""
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_reckoned_as_wcag_does() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_can_be_read_on_every_ground(theme: str) -> None:
    token = colours(theme)
    pairs = (*product(TEXTS, GROUNDS), *ON_ACCENT)
    too_low = {(a, b): contrast(token[a], token[b]) for a, b in pairs if contrast(token[a], token[b]) < TEXT_CONTRAST}
    assert too_low == {}
    unseen = {(a, b): contrast(token[a], token[b]) for a, b in EDGES if contrast(token[a], token[b]) < EDGE_CONTRAST}
    assert unseen == {}


def test_every_colour_is_a_token_and_every_token_is_looked_at() -> None:
    styles = resources.files("mailkeep_web") / "styles"
    for sheet in styles.iterdir():
        if sheet.name != "tokens.css":
            assert re.findall(r"#[0-9a-fA-F]{3,8}\b(?=[^{}]*;)|\brgba?\(|\bhsla?\(", sheet.read_text("utf-8")) == [], (
                sheet.name
            )
    assert set(colours("light")) == {*TEXTS, *GROUNDS, "on-accent", "line", "line-strong", "paper"}
    assert set(colours("light")) == set(colours("dark"))
