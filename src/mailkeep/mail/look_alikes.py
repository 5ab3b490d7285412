"""Host names that are made to be taken for another: letters of several alphabets in one label, or only such letters of
another alphabet as look like Latin ones (Unicode Technical Standard 39, sections 4 and 5.1, in small).
"""

from __future__ import annotations

import unicodedata
from typing import Final

from mailkeep.mail.urls import display_label

_ALPHABETS: Final = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "GEORGIAN", "HEBREW", "ARABIC")
# Small letters that many fonts draw as a Latin letter: Cyrillic, Greek, Armenian.
_LIKE_LATIN: Final = frozenset(
    "\u0430\u0431\u0432\u0433\u0434\u0435\u043e\u0440\u0441\u0443\u0445\u043a\u043c\u043d"
    "\u0442\u043f\u0456\u0458\u0455\u04bb\u0501\u051b\u051d\u04af\u04cf\u0475"
    "\u03b1\u03b2\u03b3\u03b5\u03b9\u03ba\u03bd\u03bf\u03c1\u03c4\u03c5\u03c7\u03c9"
    "\u0585\u057d\u0570\u0578\u0581\u0584"
)
# Latin letters that look like those of ASCII (dotless i, small capitals …), and marks that are hardly seen.
_LIKE_ASCII: Final = frozenset(
    "\u0131\u0237\u0251\u0261\u0269\u029f\u0274\u0280\u028f\u0185\u01bd\u028b\u0338\u0307\u0323\u00b7\u01c0"
)


def has_look_alike(host: str) -> bool:
    """`host` in A-labels."""
    return any(_is_look_alike(display_label(label)) for label in host.split(".") if label.startswith("xn--"))


def _is_look_alike(label: str) -> bool:
    letters = [character for character in label if character.isalpha()]
    alphabets = {_alphabet(letter) for letter in letters} - {""}
    if len(alphabets) > 1 or _LIKE_ASCII.intersection(label):
        return True
    return bool(letters) and alphabets != {"LATIN"} and _LIKE_LATIN.issuperset(letters)


def _alphabet(letter: str) -> str:
    name = unicodedata.name(letter, "")
    return next((alphabet for alphabet in _ALPHABETS if name.startswith(alphabet)), "")
