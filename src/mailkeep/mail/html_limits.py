"""How much of a document is sanitised as markup: as much as takes a bounded time.

nh3 builds a tree. Each tag costs it time in proportion to the elements that are open, and an element such as `<u>` that
is not closed is opened again in every paragraph after it. A few kilobytes can so keep it busy for a minute, or come out
as a gigabyte. How deep the tree is can only be known by building it. Kept here is an upper bound, but for what browsers
add to tables. It is close for what is written with some care: an end tag closes an element for certain when nothing is
open within.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Final, NamedTuple

from mailkeep.mail.html_tokens import Kind, Token, end_of_tag, tokenise

MAX_CHARS: Final = 512 * 1024
MAX_LEVELS: Final = 500
# Quadratic: a twentieth of a second for one tag with as many as this.
MAX_ATTRIBUTES: Final = 10_000
# Of all `html` and `body` tags, whose attributes end up on one element each. Quadratic, and slower.
MAX_ROOT_ATTRIBUTES: Final = 1_000
# Quadratic: two seconds for ten times as many as this.
MAX_AMPERSANDS: Final = 50_000
# The sum over all tags of the elements that are open: 25 to 30 ns each.
MAX_DEPTH_WORK: Final = 20_000_000
# The sum over all tags of the elements that may be opened again: 0.6 µs and 300 bytes each, for as long as it lasts.
# A link, which keeps its attributes, counts as one for every hundred characters.
MAX_REOPENED: Final = 100_000
_LINK_CHARS: Final = 100

# HTML, section 13.2.4.3: the elements that are opened again, of equal ones three at most.
_FORMATTING: Final = frozenset(
    {"a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"}
)
_MAX_EQUAL: Final = 3
_VOID: Final = frozenset(
    {"area", "base", "basefont", "bgsound", "br", "col", "embed", "frame", "hr", "img", "input", "keygen", "link"}
    | {"meta", "param", "source", "track", "wbr"}
)
_P: Final = frozenset({"p"})
_CELLS: Final = frozenset({"td", "th"})
_TERMS: Final = frozenset({"dd", "dt"})
_CLOSES: Final = (
    dict.fromkeys(("blockquote", "center", "div", "dl", "h1", "h2", "h3", "h4", "ol", "p", "pre", "ul"), (_P,))
    | {"li": (_P, frozenset({"li"})), "tr": (_P, _CELLS, frozenset({"tr"}))}
    | dict.fromkeys(_CELLS, (_P, _CELLS))
    | dict.fromkeys(_TERMS, (_P, _TERMS))
)
# In and after these it depends on the tree what is a tag and which end tags count: none are believed from there on.
_UNCERTAIN: Final = frozenset({"frameset", "math", "plaintext", "select", "svg", "template"})
# An svg with nothing but these in it is as certain as other elements.
_DRAWING: Final = frozenset(
    {"circle", "clippath", "defs", "ellipse", "g", "line", "lineargradient", "mask", "path", "pattern", "polygon"}
    | {"polyline", "radialgradient", "rect", "stop", "symbol", "text", "tspan", "use"}
)
_TAG: Final = re.compile(r"<(/?)([a-zA-Z][^\t\n\f\r />]*)")


class Limits(NamedTuple):
    """Where the markup has to end: for the sake of time, and for that of MAX_LEVELS, by the upper bound."""

    of_work: int
    of_levels: int


def limits_of(markup: str) -> Limits:
    walk = _Walk(markup, _before_ampersand(markup, MAX_AMPERSANDS, min(len(markup), MAX_CHARS)))
    of_work = walk.certain()
    return Limits(of_work, min(walk.of_levels, of_work))


class _Walk:
    """Walks over the tags with an upper bound of what is open."""

    def __init__(self, markup: str, end: int) -> None:
        self.of_levels = end
        self.deepest = 0
        self._markup = markup
        self._end = end
        self._open: list[tuple[str, str]] = []  # names, and tags as written
        self._attributes_of_root = 0
        self._formatting: Counter[str] = Counter()
        self._may_reopen = 0
        self._depth_work = 0
        self._reopened = 0

    def certain(self) -> int:
        """Where the work is too much; the end when it is not."""
        drawing = range(0)
        for token in tokenise(self._markup, min(len(self._markup), MAX_CHARS)):
            if token.start >= self._end:
                break
            if self._is_cut_off(token) or self._is_too_wide(token) or self._is_too_much():
                return token.start
            if token.start in drawing:
                self._depth_work += token.start - drawing.start
            elif token.kind is Kind.START_TAG and token.name in _UNCERTAIN:
                drawing = self._drawing(token)
                if not drawing:
                    return self._uncertain(token.start)
            elif token.kind is Kind.START_TAG and token.name not in _VOID:
                self._close_for(token.name)
                self._opened(token.name, token.start, token.tag_end)
            elif token.kind is Kind.END_TAG:
                self._closed(token.name)
        return self._end

    def _uncertain(self, start: int) -> int:
        """Whatever looks like a start tag counts as one, and nothing closes."""
        looked_at = 0
        for match in _TAG.finditer(self._markup, start, self._end):
            if self._is_too_much():
                return match.start()
            if not match[1]:
                name = match[2].lower()
                tag_end = end_of_tag(self._markup, match.end(), self._end) if name == "a" else match.end()
                looked_at += tag_end - match.start()
                self._opened(name, match.start(), tag_end)
            if looked_at > 2 * MAX_CHARS:
                return match.start()
        return self._end

    def _opened(self, name: str, start: int, tag_end: int) -> None:
        text = self._markup[start:tag_end]
        self._open.append((name, text))
        self.deepest = max(self.deepest, len(self._open))
        if self.deepest > MAX_LEVELS:
            self.of_levels = min(self.of_levels, start)
        if name in _FORMATTING:
            self._formatting[text] += 1
            if self._formatting[text] <= _MAX_EQUAL:
                self._may_reopen += _weight(name, text)

    def _closed(self, name: str) -> None:
        if not self._open or self._open[-1][0] != name:
            return
        _, text = self._open.pop()
        if name in _FORMATTING:
            self._formatting[text] -= 1
            if self._formatting[text] < _MAX_EQUAL:
                self._may_reopen -= _weight(name, text)

    def _close_for(self, name: str) -> None:
        """What people leave open, and a start tag closes (HTML, section 13.2.6.4.7)."""
        for closed in _CLOSES.get(name, ()):
            if self._open and self._open[-1][0] in closed:
                self._open.pop()

    def _is_too_much(self) -> bool:
        self._depth_work += len(self._open)
        self._reopened += self._may_reopen
        return self._depth_work > MAX_DEPTH_WORK or self._reopened > MAX_REOPENED

    def _is_too_wide(self, token: Token) -> bool:
        if token.name in {"html", "body"}:
            self._attributes_of_root += len(token.attributes)
        return len(token.attributes) > MAX_ATTRIBUTES or self._attributes_of_root > MAX_ROOT_ATTRIBUTES

    def _is_cut_off(self, token: Token) -> bool:
        """By the limit of size: shown as text, where a browser would drop it."""
        return token.kind is Kind.UNFINISHED and len(self._markup) > MAX_CHARS

    def _drawing(self, start: Token) -> range:
        """Where the svg stands that begins with that tag, when it is a plain one."""
        if start.name != "svg" or self._markup.endswith("/>", 0, start.tag_end):
            return range(0)
        for token in tokenise(self._markup, self._end, at=start.tag_end):
            if token.kind is Kind.END_TAG and token.name == "svg":
                return range(start.start, token.end)
            if token.kind is not Kind.COMMENT and token.name not in _DRAWING:
                break
        return range(0)


def _weight(name: str, text: str) -> int:
    return 1 + (len(text) // _LINK_CHARS if name == "a" else 0)


def _before_ampersand(markup: str, number: int, end: int) -> int:
    """Where the ampersand of that number stands, `end` when there are not so many before it."""
    if markup.count("&", 0, end) < number:
        return end
    at = -1
    for _ in range(number):
        at = markup.index("&", at + 1)
    return at
