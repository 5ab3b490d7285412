"""The names of files in mail: as they were sent, as they are shown and saved, and as they are stored.

A sender chooses a name freely: `../../etc/passwd`, `con`, four thousand letters, an `exe` that reads as `txt` by a
direction override. `safe_name` makes one that harms nobody, `visible_name` shows what it was made from.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from mailkeep.mail.limits import MAX_FILENAME

NAMELESS: Final = "attachment"
# What a file system takes, less the room for ` (999)`.
MAX_NAME_BYTES: Final = 240
MAX_NAME_CHARS: Final = 150
_MAX_EXTENSION: Final = 20
_STORED_NAME: Final = 80
# Controls, direction overrides and the like, halves of surrogate pairs, private and unassigned ones; line breaks.
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Windows takes none of these in a name, and reads what follows a colon as a stream of the file before it.
_FORBIDDEN: Final = re.compile(r'[<>:"|?*]')
# Names that Windows keeps for devices, whatever the extension.
_RESERVED: Final = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|com[\d¹²³]|lpt[\d¹²³])\s*(?=\.|$)", re.IGNORECASE)
_NOT_STORED: Final = re.compile(r"[^A-Za-z0-9._-]+")


def safe_name(filename: str) -> str:
    """A name to show and to save under: one path segment, nothing invisible, no name that a system keeps for itself.

    At most 240 bytes of UTF-8, never empty, never hidden. A safe name stays what it is.
    """
    segment = re.split(r"[/\\]", filename)[-1]
    visible = "".join(char for char in segment if unicodedata.category(char) not in _INVISIBLE)
    name = _shortened(_FORBIDDEN.sub("_", visible).strip().strip(". "))
    if not name:
        return NAMELESS
    return _shortened(f"_{name}") if _RESERVED.match(name) else name


def visible_name(filename: str) -> str:
    """A name as it was sent, for people to look at: what is invisible or turns text around stands as an escape.

    `\\u202egnp.exe` for a name that begins with a direction override; at most 1,000 characters of it.
    """
    return "".join(_escaped(char) for char in filename[:MAX_FILENAME])


def stored_name(filename: str) -> str:
    """A name for a file or an object key: ASCII letters, digits, `.`, `_`, `-`; never empty, never hidden."""
    ascii_name = unicodedata.normalize("NFKD", filename).encode("ascii", "ignore").decode()
    name = _NOT_STORED.sub("_", ascii_name).strip("._-")
    stem, dot, suffix = name.rpartition(".")
    if dot and len(suffix) <= 10:
        return f"{stem[: _STORED_NAME - 11]}.{suffix}"
    return name[:_STORED_NAME] or NAMELESS


def unique_names(filenames: Iterable[str], *, taken: Iterable[str] = ()) -> list[str]:
    """Safe names for files that are saved side by side: the second `a.txt` is `a (2).txt`.

    Two names are the same when a file system says so that knows no case and no forms of one letter.
    """
    seen = {_folded(name): 1 for name in taken}
    return [_unique(safe_name(filename), seen) for filename in filenames]


def _unique(name: str, seen: dict[str, int]) -> str:
    """`seen` holds the number that each name, folded, was given last; so many equal names take linear time."""
    stem, dot, extension = _split(name)
    candidate, number = name, seen.get(_folded(name), 0)
    while _folded(candidate) in seen:
        number += 1
        candidate = f"{stem} ({number}){dot}{extension}"
    seen[_folded(name)] = max(number, 1)
    seen.setdefault(_folded(candidate), 1)
    return candidate


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def _escaped(char: str) -> str:
    if unicodedata.category(char) not in _INVISIBLE:
        return char
    return f"\\u{ord(char):04x}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08x}"


def _split(name: str) -> tuple[str, str, str]:
    """Stem, dot and extension; the last two empty when what follows the last dot is too long for an extension."""
    stem, dot, extension = name.rpartition(".")
    return (stem, dot, extension) if stem and len(extension) <= _MAX_EXTENSION else (name, "", "")


def _shortened(name: str) -> str:
    """Cut to the limits of characters and bytes, with the extension kept."""
    stem, dot, extension = _split(name)
    end = f"{dot}{extension}"
    room = MAX_NAME_BYTES - len(end.encode())
    cut = stem[: MAX_NAME_CHARS - len(end)].encode()[:room].decode(errors="ignore")
    return f"{cut.rstrip()}{end}".rstrip(". ")
