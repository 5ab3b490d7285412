"""The text of a message as a mail reader shows it: all parts, in their order."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Final

from mailkeep.mail.body import Body, TextBody
from mailkeep.mail.flowed import unflow
from mailkeep.mail.headers import printable
from mailkeep.mail.limits import MAX_ATTACHED_HTML, MAX_SNIPPET, MAX_TEXT_IN_HTML
from mailkeep.mail.mime import Part
from mailkeep.mail.plain_text import text_of_html

_BLANK_LINES: Final = re.compile(r"\s*\n\s*\n\s*")
_SPACE: Final = re.compile(r"\s+")
_SNIPPET_SOURCE: Final = 4 * 1024


class Texts:
    """The texts of a message and of what is attached to it, each decoded once.

    Decoding one may add to the defects of its part.
    """

    def __init__(self) -> None:
        self._known: dict[int, str] = {}
        self._room_in_html = MAX_TEXT_IN_HTML

    def decode(self, part: Part) -> str:
        """The text of a part; empty when it is no text."""
        body = part.body
        if not isinstance(body, TextBody) or part.is_multipart():
            return ""
        if id(part) not in self._known:
            self._known[id(part)] = _text(part, body)
        return self._known[id(part)]

    def plain(self, root: Part) -> str | None:
        """All text/plain, joined; None when there is none."""
        texts = [self.decode(part) for part in root.leaves() if _is_plain(part.body)]
        return "\n".join(text for text in texts if text.strip("\n")) if texts else None

    def readable(self, root: Part) -> str:
        """The words of a message: its plain text, else those of its HTML."""
        text = self.plain(root)
        if text is not None and text.strip():
            return text
        markup = self.html(root)
        if markup is None:
            return text or ""
        return _BLANK_LINES.sub("\n\n", text_of_html(markup[:MAX_ATTACHED_HTML])).strip()

    def html(self, root: Part) -> str | None:
        """All text/html, joined, with the plain text that stands beside it in its place; None without HTML."""
        if not _has_html(root):
            return None
        return "\n".join(self._html_pieces(root))

    def _html_pieces(self, part: Part) -> Iterator[str]:
        text = self.decode(part)
        if _is_html(part.body):
            yield text
        elif text.strip():
            yield self._text_in_html(text)
        for inner in _shown(part):
            yield from self._html_pieces(inner)

    def _text_in_html(self, text: str) -> str:
        text = text.strip()[: self._room_in_html]
        self._room_in_html -= len(text)
        lines = html.escape(text, quote=False).split("\n")
        return f"<p>{'<br>'.join(lines)}</p>"


def snippet(text: str | None, markup: str | None) -> str:
    """The beginning of what a reader would see, on one line."""
    source = (text or "")[:_SNIPPET_SOURCE]
    if not source.strip() and markup:
        source = text_of_html(markup[:_SNIPPET_SOURCE])
    return printable(_SPACE.sub(" ", source).strip())[:MAX_SNIPPET]


def _text(part: Part, body: TextBody) -> str:
    text = body.text()
    if body.is_html or str(part.get_param("format", "")).lower() != "flowed":
        return text
    return unflow(text, delsp=str(part.get_param("delsp", "")).lower() == "yes")


def _shown(part: Part) -> list[Part]:
    """The parts of a multipart that a reader of HTML sees: of alternatives, those that are or hold HTML."""
    parts = part.parts()
    if part.declared_type() != "multipart/alternative":
        return parts
    marked_up = [inner for inner in parts if _has_html(inner)]
    return marked_up or parts


def _has_html(part: Part) -> bool:
    return any(_is_html(leaf.body) for leaf in part.leaves())


def _is_html(body: Body | None) -> bool:
    return isinstance(body, TextBody) and body.is_html


def _is_plain(body: Body | None) -> bool:
    return isinstance(body, TextBody) and not body.is_html
