"""An address field, made ready for the stdlib: each mailbox by itself, its name in quotes.

`email.utils.getaddresses` takes half of a name for an address, an encoded word with a comma for two mailboxes and a
comment for a part of the name, gives nothing at all for an empty group, calls itself for each bracket, and reads
the same field in two ways in two versions of Python (CVE-2023-27043). What it gets here it reads well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

# Atomic groups: what was taken is never tried again in another way, so that no text takes long.
_PLAIN: Final = r"""
    (?P<encoded> =\?[^?\s]{1,100}\?[bqBQ]\?[^?]{0,8000}\?=)     # RFC 2047: whatever is in it, it is one word
  | (?P<angle> <(?>(?:[^"<>]|"(?>(?:[^"\\]|\\.)*)")*)>)
  | (?P<special> [(),:;<>])
  | (?P<space> \s+)
  | (?P<word> .[^\s(),:;<>"=]*)
"""
_ENDS: Final = frozenset(",;:")
_UNQUOTED: Final = re.compile(_PLAIN, re.VERBOSE | re.DOTALL)
_TOKEN: Final = re.compile(rf'(?P<quoted> "(?>(?:[^"\\]|\\.)*)(?:"|\\?\Z)) | {_PLAIN}', re.VERBOSE | re.DOTALL)
# RFC 5322 section 4.4: hosts that the mail was to pass on its way.
_ROUTE: Final = re.compile(r"\A\s*@[^:]*:")
_SPACE: Final = re.compile(r"\s+")
_COMMENT: Final = re.compile(r"\([^()]*\)")
# Only where all quotes are closed: else it would look for the end of each.
_QUOTED: Final = re.compile(r'("(?>(?:[^"\\]|\\.)*)")', re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)


@dataclass(slots=True)
class _Word:
    """What stands between white space: as it was written, and as a part of a name. `is_address`: it has an `@`."""

    written: str = ""
    read: str = ""
    is_address: bool = False

    def add(self, kind: str, piece: str) -> None:
        self.written += piece
        self.read += _ESCAPED.sub(r"\1", piece[1:-1]) if kind == "quoted" else piece
        self.is_address = self.is_address or (kind == "word" and "@" in piece)


@dataclass(slots=True)
class _Element:
    """What stands between two commas. `follows`: an address in brackets stood before it."""

    words: list[_Word] = field(default_factory=lambda: [_Word()])
    comments: list[str] = field(default_factory=list)
    follows: bool = False

    def add(self, kind: str, piece: str) -> None:
        if kind == "space" or piece in "<>":
            self.words.append(_Word())
        else:
            self.words[-1].add(kind, piece)

    def name(self, *, but: _Word | None = None) -> str:
        return " ".join(word.read for word in self.words if word.read and word is not but) or "".join(self.comments)


def prepared(text: str) -> Iterator[str]:
    """The mailboxes of an unfolded field, each as `"name" <address>`, with nothing in the brackets of a mere name.

    Linear in the length of the text. Names of groups are left out, and routes; comments are taken for the name where
    there is no other.
    """
    element = _Element()
    depth = 0
    for kind, piece in _tokens(text):
        if piece == "(" or (piece == ")" and depth):
            depth += 1 if piece == "(" else -1
            element.comments.append(" ")
        elif depth:
            element.comments.append(piece)
        elif kind == "angle":
            yield _written(element.name(), _bare(piece[1:-1]))
            element = _Element(follows=True)
        elif piece in _ENDS:
            # A colon ends the name of a group; where an address stands before it, it is no name.
            if piece != ":" or any(word.is_address for word in element.words):
                yield from _ended(element)
            element = _Element()
        else:
            element.add(kind, piece)
    yield from _ended(element)


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    """A quote that is never closed is a character like others."""
    for match in _TOKEN.finditer(text):
        kind = str(match.lastgroup)
        if kind == "quoted" and _QUOTED.fullmatch(match[0]) is None:
            yield "word", '"'
            rest = _UNQUOTED.finditer(text, match.start() + 1)
            yield from ((str(found.lastgroup), found[0]) for found in rest)
            return
        yield kind, match[0]


def _ended(element: _Element) -> Iterator[str]:
    """What stands before a comma and is no `<address>`: an address, a name and an address, or a name."""
    words = [word for word in element.words if word.written]
    if not words:
        return
    address = next((word for word in words if word.is_address), None)
    if address is None and len(words) == 1 and words[0].written == words[0].read and not element.follows:
        address = words[0]  # a local part alone, as programs write it: root
    yield _written(element.name(but=address), "" if address is None else address.written)


def _written(name: str, address: str) -> str:
    phrase = _SPACE.sub(" ", name).strip().replace("\\", "\\\\").replace('"', '\\"')
    quoted = f'"{phrase}" ' if phrase else ""
    return f"{quoted}<{address}>" if phrase or address else ""


def _bare(address: str) -> str:
    """What stood in brackets, without a route, comments, and white space outside of quotes."""
    pieces = _QUOTED.split(_ROUTE.sub("", address))
    for place in range(0, len(pieces), 2):
        pieces[place] = _SPACE.sub("", _COMMENT.sub("", pieces[place]))
    return "".join(pieces)
