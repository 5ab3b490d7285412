"""Files in mail: the type declared and the type found."""

from __future__ import annotations

import re
from typing import Final

import puremagic

# What a browser may be told; anything else is a stream of bytes. None of these can carry a script.
SAFE_TYPES: Final = frozenset(
    {
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
# What mail carries most, and what the library takes for something else.
_SIGNATURES: Final = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"MZ", "application/vnd.microsoft.portable-executable"),
    (b"\x78\x9f\x3e\x22", "application/vnd.ms-tnef"),
)
# DER: a sequence of any length that begins with an object identifier of PKCS #7 (RFC 5652 section 3).
_PKCS7: Final = re.compile(rb"\x30(?:[\x80-\x84].{0,4}|.)\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07", re.DOTALL)
_MIMETYPE_ENTRY: Final = re.compile(rb"PK\x03\x04.{22}\x08\0..mimetype([a-z0-9/.+-]{3,100})", re.DOTALL)
_OFFICE: Final = (
    (b"word/document.xml", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    (b"xl/workbook.xml", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    (b"ppt/presentation.xml", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
)
_MEDIA_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")


def media_type(declared: str) -> str:
    """A declared type when it has the form of one (RFC 6838 section 4.2), else application/octet-stream."""
    return declared if _MEDIA_TYPE.fullmatch(declared) else OCTET_STREAM


def detect_type(head: bytes) -> str:
    """The type that the first bytes speak of."""
    if not head:
        return OCTET_STREAM
    for signature, found in _SIGNATURES:
        if head.startswith(signature):
            return found
    if head.startswith(b"PK\3\4"):
        return _archive_type(head)
    if _PKCS7.match(head):
        return "application/pkcs7-mime"
    try:
        found = puremagic.from_string(head, mime=True)
    except (puremagic.PureError, ValueError):
        return _text_or_bytes(head)
    return media_type(found.lower()) if found else _text_or_bytes(head)


def _archive_type(head: bytes) -> str:
    """Of a ZIP: what its first entry says that it is (ODF and EPUB begin with `mimetype`, Office with its types)."""
    named = _MIMETYPE_ENTRY.match(head)
    if named is not None:
        return media_type(named[1].decode("latin-1").lower())
    return next((found for entry, found in _OFFICE if entry in head), "application/zip")


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
