"""Line breaks in place of those that go with an element.

Most mail is written with a `div` a line and a table around it. The sanitiser leaves their text and takes the elements,
and with them what kept the lines apart. The breaks are put in before it runs: it judges them like all else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from mailkeep.mail.html_tokens import Token

BREAK: Final = "<br>"
# HTML, section 15.3: what begins on a line of its own. What the sanitiser leaves does that by itself.
_BLOCKS: Final = frozenset(
    {"address", "article", "aside", "caption", "center", "dd", "details", "dialog", "dir", "div", "dl", "dt"}
    | {"fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup"}
    | {"hr", "legend", "main", "menu", "nav", "optgroup", "option", "search", "section", "summary"}
)
_TABLE: Final = frozenset({"table", "tbody", "tfoot", "thead", "tr"})
_CELLS: Final = frozenset({"td", "th"})
_NO_TEXT: Final = re.compile(r"<[!?/][^>]*>?")
_LEFT_AS_THEY_ARE: Final = frozenset({"blockquote", "li", "ol", "p", "pre", "ul"})


# All that begins on a line of its own.
BLOCKS: Final = _BLOCKS | _TABLE | _LEFT_AS_THEY_ARE | {"br"}


def with_breaks(markup: str, tokens: Iterable[Token]) -> str:
    """The markup with a `<br>` between lines and a space between cells. `tokens` are those of all of it."""
    pieces: list[str] = []
    at = 0
    for place, break_ in _breaks(markup, tokens):
        pieces += markup[at:place], break_
        at = place
    return "".join((*pieces, markup[at:]))


def _breaks(markup: str, tokens: Iterable[Token]) -> Iterator[tuple[int, str]]:
    """Where something is to be put in, in order, and what."""
    line = _Line()
    at = 0
    for token in tokens:
        if _has_text(markup[at : token.start]):
            yield from line.text(at)
        at = token.end
        if token.name == "br":
            yield from line.text(token.start)
            line = _Line()
        elif token.name in _LEFT_AS_THEY_ARE:
            line = _Line()
        elif token.name in _BLOCKS:
            line.ends(BREAK, token.end)
        elif token.name in _CELLS:
            line.ends(" ", token.end)
        elif token.name in _TABLE:
            # What stands in a table and in no cell is moved before the table: nothing may be put in there.
            line.ends(BREAK, None if token.name != "table" or markup[token.start + 1] != "/" else token.end)
    if _has_text(markup[at:]):
        yield from line.text(at)


def _has_text(between: str) -> bool:
    """Whether there is text between two tags, which may be a doctype or the like as well."""
    return bool((_NO_TEXT.sub("", between) if "<" in between else between).strip())


class _Line:
    """What has been seen of a line: whether there is text on it, and what is to come before the next text."""

    def __init__(self) -> None:
        self._has_text = False
        self._break = ""
        self._place: int | None = None

    def ends(self, break_: str, place: int | None) -> None:
        """A break is due, at `place` if anywhere. Between rows it stays one, whatever cells begin."""
        self._break = BREAK if BREAK in (break_, self._break) else break_
        self._place = place

    def text(self, start: int) -> Iterator[tuple[int, str]]:
        """There is text at `start`: what is due before it."""
        if self._has_text and self._break:
            yield (start if self._place is None else self._place), self._break
        self._has_text, self._break, self._place = True, "", None
