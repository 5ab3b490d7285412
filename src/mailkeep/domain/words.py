"""Words, as the search index and a query must both see them.

A word is a run of letters and digits, in one case and without diacritics, whatever its form was: `Façade` is `facade`,
`ﬁ` is `fi`. Scripts that put no spaces between words (Chinese, Japanese, Thai, Lao, Khmer, Burmese) are cut into
overlapping pairs of characters, so that a part of a longer text is found as a phrase of pairs.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from typing import Final

MAX_WORD: Final = 64

# Letters in lower case and digits stay, all else is a space: one pass over what most mail is made of.
_ASCII: Final = bytes(byte if chr(byte).isalnum() and byte < 128 else 32 for byte in bytes(range(256)).lower())
# Diacritics of Latin, Greek, Cyrillic, Hebrew and Arabic. In other scripts such marks are vowels, and stay.
_DIACRITICS: Final = re.compile(
    "[\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed"
    "\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+"
)
_UNSPACED: Final = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\U00020000-\U0003ffff"
)
_RUN: Final = re.compile(rf"([{_UNSPACED}]+)|[^\W_{_UNSPACED}]+")
_LONG: Final = re.compile(rf"[^ ]{{{MAX_WORD + 1},}}")


def words_of(text: str) -> list[str]:
    """The words in their order. None holds a space, a line break or `=`."""
    if text.isascii():
        return text.encode("ascii").translate(_ASCII).decode("ascii").split()
    return [word for run in _RUN.finditer(_folded(text)) for word in (_pairs(run[1]) if run[1] else (run[0],))]


def characters_of(text: str) -> list[str]:
    """The single characters of the scripts that are cut into pairs, each once: a query may be one of them."""
    if text.isascii():
        return []
    return list(dict.fromkeys(character for run in _RUN.finditer(_folded(text)) for character in run[1] or ""))


def shortened(line: str) -> str:
    """Words between single spaces, each of at most MAX_WORD characters: the end of a longer one is its hash."""
    return _LONG.sub(_with_hash, line)


def _with_hash(match: re.Match[str]) -> str:
    digest = hashlib.blake2s(match[0].encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return f"{match[0][: MAX_WORD - 17]}~{digest}"


def _folded(text: str) -> str:
    bare = _DIACRITICS.sub("", unicodedata.normalize("NFKD", text).casefold())
    return unicodedata.normalize("NFKC", bare)


def _pairs(run: str) -> Iterator[str]:
    if len(run) == 1:
        yield run
    for at in range(len(run) - 1):
        yield run[at : at + 2]
