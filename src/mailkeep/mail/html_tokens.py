"""HTML cut into tokens as a browser's tokenizer cuts it (HTML, section 13.2.5), linear whatever it meets.

For counting and for estimating only; what is shown is nh3's work. (`html.parser` would do, but is quadratic on comments
and tags that never end.) What is read otherwise inside of SVG, MathML and `select` is not distinguished. `noscript` is
an ordinary element: where a mail is shown, scripts are off.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final, NamedTuple

_SPACE: Final = r"\t\n\f\r "
_OPENING: Final = re.compile(rf"<(?:(!--)|(/?)([a-zA-Z][^{_SPACE}/>]*)(>)?|[!?/])")
_ATTRIBUTE: Final = re.compile(
    rf"""[{_SPACE}/]*+([^{_SPACE}/>][^{_SPACE}/>=]*)"""
    rf"""(?:[{_SPACE}]*+=[{_SPACE}]*+(?:"([^"]*)(?:"|\Z)|'([^']*)(?:'|\Z)|([^{_SPACE}>"'][^{_SPACE}>]*))?)?"""
)
_END_OF_TAG: Final = re.compile(rf"[{_SPACE}/]*+>")
_END_OF_COMMENT: Final = re.compile("--!?>")
# What is inside of these is no markup.
_RAW_TEXT: Final = {
    name: re.compile(rf"</{name}(?=[{_SPACE}/>])", re.IGNORECASE)
    for name in ("iframe", "noembed", "noframes", "script", "style", "textarea", "title", "xmp")
}


_NO_ATTRIBUTES: Final[Mapping[str, str]] = MappingProxyType({})


class Kind(Enum):
    START_TAG = 1
    END_TAG = 2
    COMMENT = 3
    UNFINISHED = 4  # a tag that the end of the markup cuts off: a browser drops it


class Token(NamedTuple):
    """`attributes` are as written, entities and all. `end` is behind the content where that is raw text."""

    kind: Kind
    start: int
    tag_end: int
    end: int
    name: str = ""
    attributes: Mapping[str, str] = _NO_ATTRIBUTES


def tokenise(markup: str, end: int, *, at: int = 0) -> Iterator[Token]:
    """The tags and comments of `markup[at:end]`. Text is passed over, and doctypes and what is taken for comments."""
    while match := _OPENING.search(markup, at, end):
        token = _token(markup, match, end)
        if token is not None:
            yield token
        at = token.end if token is not None else _after(markup, ">", match.end(), end)


def end_of_tag(markup: str, at: int, end: int) -> int:
    """Where a tag ends whose name ends at `at`, as long as it is one."""
    return _attributes(markup, at, end)[1] or end


def _token(markup: str, match: re.Match[str], end: int) -> Token | None:
    comment, slash, name, closed = match.groups()
    if comment:
        return Token(Kind.COMMENT, match.start(), match.end(), _end_of_comment(markup, match.end(), end))
    if name is None:
        return None
    name = name.lower()
    attributes, tag_end = (_NO_ATTRIBUTES, match.end()) if closed else _attributes(markup, match.end(), end)
    if not tag_end:
        return Token(Kind.UNFINISHED, match.start(), end, end, name, attributes)
    if slash:
        return Token(Kind.END_TAG, match.start(), tag_end, tag_end, name, attributes)
    return Token(Kind.START_TAG, match.start(), tag_end, _end_of_content(markup, name, tag_end, end), name, attributes)


def _attributes(markup: str, at: int, end: int) -> tuple[dict[str, str], int]:
    """The attributes, and where the tag ends; 0 when it does not."""
    attributes: dict[str, str] = {}
    while match := _ATTRIBUTE.match(markup, at, end):
        name, quoted, single_quoted, unquoted = match.groups()
        attributes.setdefault(name.lower(), quoted or single_quoted or unquoted or "")
        at = match.end()
    closing = _END_OF_TAG.match(markup, at, end)
    return attributes, closing.end() if closing else 0


def _end_of_comment(markup: str, at: int, end: int) -> int:
    """Also `<!-->` and `<!--->` end one."""
    for short in (">", "->"):
        if markup.startswith(short, at):
            return at + len(short)
    match = _END_OF_COMMENT.search(markup, at, end)
    return match.end() if match else end


def _end_of_content(markup: str, name: str, at: int, end: int) -> int:
    if name == "plaintext":
        return end
    if name not in _RAW_TEXT:
        return at
    match = _RAW_TEXT[name].search(markup, at, end)
    return match.start() if match else end


def _after(markup: str, mark: str, at: int, end: int) -> int:
    found = markup.find(mark, at, end)
    return end if found < 0 else found + len(mark)
