"""What is odd about a message, in words for its reader."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_TEXTS: Final[Mapping[str, str]] = {
    "addresses_truncated": "It names more addresses than are shown here. The source has all of them.",
    "addresses_unreadable": "A header with addresses cannot be read as addresses.",
    "attached_message_skipped": "An attached message was not taken apart: there are too many, or they are too large.",
    "base64_invalid_character": "A base64 part holds characters that do not belong there; they are left out.",
    "base64_truncated": "A base64 part ends too early.",
    "boundary_like_lines_truncated": "Very many lines look like part boundaries. The rest was not taken apart.",
    "charset_missing": "Some text does not name its character set; it was guessed.",
    "charset_wrong": "Some text is not in the character set that it names; what could not be read is marked.",
    "close_boundary_not_found": "The last part is not closed. The message may have been cut off.",
    "date_missing": "It has no Date header.",
    "date_unreadable": "Its Date header is no date.",
    "first_header_line_is_continuation": "It begins with a folded line, as if the first header were missing.",
    "from_ambiguous": "It does not say clearly who wrote it: From should name one mailbox, once.",
    "from_missing": "It does not say who wrote it: there is no From header, or an empty one.",
    "from_name_is_address": "The name of the sender looks like an address, but it is another than that of the sender.",
    "headers_truncated": "It has more or longer headers than are shown here. The source has all of them.",
    "invalid_multipart_content_transfer_encoding": "A multipart is encoded as a whole, which is not allowed.",
    "malformed_header": "A header line cannot be read.",
    "misplaced_envelope_header": "A line that begins with “From ” stands among the headers.",
    "missing_header_body_separator": "There is no empty line between the headers and the text.",
    "multipart_invariant_violation": "It says that it has parts, but has none.",
    "nesting_too_deep": "Parts are nested too deeply. The inner ones were not taken apart.",
    "no_boundary_in_multipart": "It says that it has parts, but not how they are separated.",
    "not_storable": "The database would not take its text and headers. The source has all of it.",
    "parameters_truncated": "A Content-Type or Content-Disposition header is too long to be read in full.",
    "parse_failed": "It could not be taken apart. The source has all of it.",
    "parse_skipped": "Taking it apart broke off our receiver, twice. It was not tried again; the source has all of it.",
    "parts_truncated": "It has more parts than are taken apart here. The source has all of them.",
    "start_boundary_not_found": "It says that it has parts, but the line that begins them is missing.",
    "text_truncated": "The text is longer than is shown here. The source has all of it.",
    "undecodable_bytes": "A header holds bytes that are no text.",
    "uuencode_invalid_line": "A uuencoded part holds lines that cannot be decoded; they are left out.",
    "uuencode_truncated": "A uuencoded part ends too early.",
    "unknown_transfer_encoding": "A part has an encoding that nobody knows; it is shown as it came.",
}


def defect_words(code: str) -> str:
    """A sentence for a defect; a code that has none is shown as it is."""
    return _TEXTS.get(code, code.replace("_", " "))
