"""What the sanitiser takes out, counted: by a scan that is linear whatever it meets.

A reader is told what a mail tried; safety does not depend on it. (`html.parser` would do, but is quadratic on
comments and tags that never end.)
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Collection
from typing import Final

# Quotes within a tag are taken in pairs, and only so far: what is not closed in time ends the tag.
_TAG: Final = re.compile(r"""<(?:(!--)|([a-zA-Z][^\s/>]{0,40})((?:[^>"']|"[^"]{0,2000}"|'[^']{0,2000}'){0,4000}))""")
_ATTRIBUTE: Final = re.compile(r"""([^\s=>"'/]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+)))?""")
_NOT_IN_SCHEME: Final = re.compile(r"[\x00-\x20]")
_LINKS: Final = frozenset({"href", "src", "action", "background", "formaction"})
_DANGEROUS: Final = frozenset({"javascript", "vbscript", "data"})
_PIXEL: Final = frozenset({"0", "1", "0px", "1px"})
# What is inside of these is no markup.
_RAW: Final = frozenset({"script", "style", "title", "textarea", "xmp"})


def count_removed(markup: str, *, allowed: Collection[str]) -> dict[str, int]:
    """Kind → count: `element:<name>`, `handler`, `style`, `image`, `tracker`, `dangerous_link`, `comment`."""
    removed: Counter[str] = Counter()
    at = 0
    while match := _TAG.search(markup, at):
        comment, name, attributes = match.groups()
        if comment:
            removed["comment"] += 1
            at = _after(markup, "-->", match.end())
            continue
        tag = name.lower()
        if tag not in allowed:
            removed[f"element:{tag}"] += 1
        _count_attributes(tag, attributes, removed)
        at = _after(markup, f"</{name}", match.end()) if tag in _RAW else match.end()
    return dict(sorted(removed.items()))


def _after(markup: str, end: str, start: int) -> int:
    found = markup.find(end, start)
    return len(markup) if found < 0 else found + len(end)


def _count_attributes(tag: str, attributes: str, removed: Counter[str]) -> None:
    values = {
        match[1].lower(): html.unescape(match[2] or match[3] or match[4] or "")
        for match in _ATTRIBUTE.finditer(attributes)
    }
    found = {
        "handler": sum(name.startswith("on") for name in values),
        "style": int("style" in values),
        "dangerous_link": sum(_scheme(values[name]) in _DANGEROUS for name in _LINKS & values.keys()),
    }
    removed.update({kind: count for kind, count in found.items() if count})
    if tag == "img":
        is_pixel = values.get("width") in _PIXEL or values.get("height") in _PIXEL
        removed["tracker" if is_pixel else "image"] += 1


def _scheme(url: str) -> str:
    """The scheme as a browser sees it, which passes over control characters and white space."""
    return _NOT_IN_SCHEME.sub("", url[:2000]).partition(":")[0].lower()
