"""Files in mail: the type declared and the type found."""

from __future__ import annotations

import re
from typing import Final

import puremagic

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
_MEDIA_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")


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
