"""What the sanitiser took out of a message, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mailkeep_web.words import plural

# What matters to a reader, what matters most first. Kinds are the sanitiser's (mailkeep.mail.sanitise).
_KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "element:script": ("script", "scripts"),
    "handler": ("event handler", "event handlers"),
    "dangerous_link": ("dangerous link", "dangerous links"),
    "tracker": ("tracking pixel", "tracking pixels"),
    "image": ("image", "images"),
    "element:form": ("form", "forms"),
    "element:iframe": ("frame", "frames"),
    "element:object": ("embedded object", "embedded objects"),
    "element:embed": ("embedded object", "embedded objects"),
    "element:video": ("video", "videos"),
    "element:audio": ("sound", "sounds"),
    "element:svg": ("drawing", "drawings"),
    "element:meta": ("instruction to the browser", "instructions to the browser"),
    "element:base": ("changed base of links", "changed bases of links"),
    "element:link": ("link to a style sheet or the like", "links to style sheets or the like"),
    "element:style": ("style sheet", "style sheets"),
    "style": ("inline style", "inline styles"),
    "comment": ("comment", "comments"),
    "unreadable": ("part that cannot be read", "parts that cannot be read"),
}
# Counted as images and pixels already; and the frame that every document has.
_UNSAID: Final = frozenset(f"element:{tag}" for tag in ("img", "html", "head", "body", "title"))


def removed_words(removed: Mapping[str, int]) -> list[str]:
    """`{"element:script": 2}` as `["2 scripts"]`; elements that only lay out are one number at the end."""
    words = [plural(removed[kind], *_KINDS[kind]) for kind in _KINDS if removed.get(kind)]
    layout = sum(count for kind, count in removed.items() if kind not in _KINDS and kind not in _UNSAID)
    return [*words, plural(layout, "element of layout", "elements of layout")] if layout else words
