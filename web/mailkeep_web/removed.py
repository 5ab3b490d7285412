"""What the sanitiser took out of a message, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mailkeep_web.words import plural

_KINDS: Final[Mapping[str, tuple[str, str]]] = {}


def removed_words(removed: Mapping[str, int]) -> list[str]:
    """`{"script": 2}` as `["2 scripts"]`, the most frequent first; a kind without words of its own keeps its name."""
    ordered = sorted(removed.items(), key=lambda item: (-item[1], item[0]))
    return [plural(count, *_KINDS.get(kind, (kind.replace("_", " "), ""))) for kind, count in ordered if count > 0]
