"""format=flowed (RFC 3676): paragraphs that were wrapped for the way, put together again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

SIGNATURE: Final = "-- "


def unflow(text: str, *, delsp: bool) -> str:
    """The text with each paragraph on one line. `delsp`: the space that ends a wrapped line is no part of it."""
    end = "\n" if text.endswith("\n") else ""
    lines = text.removesuffix("\n").split("\n")
    return "\n".join(_quoted(depth, paragraph) for depth, paragraph in _paragraphs(lines, delsp=delsp)) + end


def _paragraphs(lines: list[str], *, delsp: bool) -> Iterator[tuple[int, str]]:
    """Quote depth and content (sections 4.4 and 4.5)."""
    pieces: list[str] = []
    depth = 0
    for line in lines:
        level, content = _unquoted(line)
        # A paragraph cannot go on in another depth, nor into a signature (sections 4.3 and 4.5).
        if pieces and (level != depth or content == SIGNATURE):
            yield depth, "".join(pieces)
            pieces = []
        depth = level
        if content.endswith(" ") and content != SIGNATURE:
            pieces.append(content[:-1] if delsp else content)
            continue
        yield depth, "".join((*pieces, content))
        pieces = []
    if pieces:
        yield depth, "".join(pieces)


def _unquoted(line: str) -> tuple[int, str]:
    """Quote depth, and the line without its quote marks and its stuffed space."""
    content = line.lstrip(">")
    return len(line) - len(content), content.removeprefix(" ")


def _quoted(depth: int, content: str) -> str:
    return f"{'>' * depth} {content}" if depth else content
