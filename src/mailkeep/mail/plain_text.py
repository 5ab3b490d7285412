"""The text of HTML: what a reader would see, in one pass whatever the markup.

It is for the search index and for places where text is shown as text; HTML that is shown goes through the sanitiser.
"""

from __future__ import annotations

import html
import re
from typing import Final

from mailkeep.mail.html_breaks import BLOCKS

# What is inside of these is no text.
_SILENT: Final = re.compile(r"<(script|style|title|template|!--)", re.IGNORECASE)
_ENDS: Final = {"!--": "-->"}
# Stops at the next `<` as well, so that markup that never ends is passed over once and not again and again.
_TAG: Final = re.compile(r"</?[a-zA-Z!?][^<>]*>?")
_BLOCK: Final = re.compile(rf"</?(?:{'|'.join(sorted(BLOCKS))})\b[^<>]*>", re.IGNORECASE)
# Within a word, these are no end of it.
_INLINE: Final = re.compile(
    r"</?(?:a|abbr|b|big|code|del|em|font|i|ins|mark|s|small|span|strong|sub|sup|u|wbr)\b[^<>]*>", re.IGNORECASE
)


def text_of_html(markup: str) -> str:
    """A block a line, at least. Takes time linear in the length of the markup."""
    lines = _BLOCK.sub("\n", _INLINE.sub("", _without_silent(markup)))
    return html.unescape(_TAG.sub(" ", lines))


def _without_silent(markup: str) -> str:
    kept, at = [], 0
    while found := _SILENT.search(markup, at):
        kept.append(markup[at : found.start()])
        name = found[1].lower()
        at = _end_of(markup, _ENDS.get(name, f"</{name}"), found.end())
    kept.append(markup[at:])
    return " ".join(kept)


def _end_of(markup: str, closing: str, start: int) -> int:
    """Where `closing` begins, in any case; the end of the markup when it never comes."""
    found = re.compile(re.escape(closing), re.IGNORECASE).search(markup, start)
    return found.start() if found else len(markup)
