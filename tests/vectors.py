"""Hostile markup: what is in tests/data/sanitise, one vector a block (see the README there)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_DIRECTORY: Final = Path(__file__).parent / "data" / "sanitise"
_BLOCK: Final = re.compile(r"^=== (.+)\n((?:(?!=== ).*\n)*)", re.MULTILINE)
_ESCAPE: Final = re.compile(r"\\(?:\\|x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))")

# What is too long to be written down.
_LONG: Final = {
    "a long title": f'<a href="https://a.test/" title="{"x" * 100_000}">kept</a>',
    "a long link": f'<a href="https://a.test/{"x" * 15_000}">kept</a>',
    "a long scheme": f'<a href="{"x" * 100_000}:alert(1)">kept</a>',
    "a script behind many spaces": f'<a href="{" " * 100_000}javascript:alert(1)">kept</a>',
    "a script behind many line breaks": f'<a href="{chr(10) * 100_000}javascript:alert(1)">kept</a>',
    "a script behind many attributes": f"<img {' '.join(f'a{n}=b' for n in range(5_000))} src=x onerror=alert(1)>kept",
    "a script behind many spaces in a tag": f"<img src=x {' ' * 100_000} onerror=alert(1)>kept",
    "a long name": f"<{'x' * 100_000} onclick=alert(1)>kept",
    "a long attribute": f"<p {'x' * 100_000}=y onclick=alert(1)>kept</p>",
    "a script that is deep": f"{'<blockquote>' * 400}<img src=x onerror=alert(1)>kept",
    "a script that is too deep": f"{'<blockquote>' * 700}<img src=x onerror=alert(1)>kept",
    "a script that is deeper than browsers go": f"{'<p><b>' * 2_000}<svg onload=alert(1)>",
    "a script past the limit of size": f"{'<p>x</p>' * 70_000}<img src=x onerror=alert(1)>kept",
    "a script across the limit of size": f"{'x' * (512 * 1024 - 5)}<img src=x onerror=alert(1)>kept",
    "an end of the text that is past the limit": f"{'x' * 512 * 1024}</pre><img src=x onerror=alert(1)>kept",
    "many ampersands": f"{'&' * 60_000}<img src=x onerror=alert(1)>kept",
    "many unclosed comments": f"kept{'<!--' * 20_000}<img src=x onerror=alert(1)>",
    "many unclosed quotes": f"kept{'<a href=' * 20_000}<img src=x onerror=alert(1)>",
}


@dataclass(frozen=True, slots=True)
class Vector:
    """`name` is `<family>/<what it tries>`. The word `kept` in the markup stays to be seen, `lost` goes."""

    name: str
    markup: str


def all_vectors() -> list[Vector]:
    vectors = [Vector(f"long/{name}", markup) for name, markup in _LONG.items()]
    for path in sorted(_DIRECTORY.glob("*.txt")):
        text = path.read_text("utf-8")
        found = _BLOCK.findall(text)
        assert len(found) == len(re.findall("^===", text, re.MULTILINE)), path
        vectors += [Vector(f"{path.stem}/{name}", _unescaped(markup.removesuffix("\n"))) for name, markup in found]
    assert len({vector.name for vector in vectors}) == len(vectors)
    return vectors


def _unescaped(markup: str) -> str:
    return _ESCAPE.sub(_character, markup)


def _character(escape: re.Match[str]) -> str:
    digits = escape[1] or escape[2] or escape[3]
    return chr(int(digits, 16)) if digits else "\\"
