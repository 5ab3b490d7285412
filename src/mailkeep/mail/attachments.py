"""Files in mail: the name shown, the name stored, the type declared and the type found."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

import puremagic

from mailkeep.mail.limits import MAX_FILENAME

# What a browser may be told; anything else is a stream of bytes. None of these can carry a script.
SAFE_TYPES: Final = frozenset(
    {
        "application/pdf",
        "application/zip",
        "audio/mpeg",
        "image/gif",
        "image/jpeg",
        "image/png",
        "image/webp",
        "text/calendar",
        "text/csv",
        "text/plain",
        "video/mp4",
    }
)
OCTET_STREAM: Final = "application/octet-stream"
DETECT_BYTES: Final = 8 * 1024
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_MEDIA_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")
_STORED_NAME: Final = 80


def display_name(filename: str) -> str:
    """A name to show: no control or direction character, no directory; `attachment` when nothing is left."""
    visible = "".join(char for char in filename[:MAX_FILENAME] if unicodedata.category(char) not in _INVISIBLE)
    name = re.split(r"[/\\]", visible)[-1].strip()
    return name if name.strip(".") else "attachment"


def stored_name(filename: str) -> str:
    """A name for a file or an object key: ASCII letters, digits, `.`, `_`, `-`; never empty, never hidden."""
    ascii_name = unicodedata.normalize("NFKD", filename).encode("ascii", "ignore").decode()
    name = _UNSAFE.sub("_", ascii_name).strip("._-")
    stem, dot, suffix = name.rpartition(".")
    if dot and len(suffix) <= 10:
        return f"{stem[: _STORED_NAME - 11]}.{suffix}"
    return name[:_STORED_NAME] or "attachment"


def media_type(declared: str) -> str:
    """A declared type when it has the form of one (RFC 6838 section 4.2), else application/octet-stream."""
    return declared if _MEDIA_TYPE.fullmatch(declared) else OCTET_STREAM


def detect_type(head: bytes) -> str:
    """The type that the first bytes speak of."""
    if not head:
        return OCTET_STREAM
    try:
        found = puremagic.from_string(head, mime=True)
    except (puremagic.PureError, ValueError):
        return _text_or_bytes(head)
    return media_type(found.lower()) if found else _text_or_bytes(head)


def served_type(declared: str, detected: str) -> str:
    """The Content-Type of a download: what was found, when it and the declaration are on the short safe list."""
    honest = {declared, detected} - {OCTET_STREAM}
    return detected if honest <= SAFE_TYPES else OCTET_STREAM


def _text_or_bytes(head: bytes) -> str:
    if b"\0" in head:
        return OCTET_STREAM
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        # The cut may have gone through the last character.
        if error.start < len(head) - 4:
            return OCTET_STREAM
    return "text/plain"
