"""What a part says of itself, and what it is to a reader."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.utils import unquote
from typing import Any, Final

from mailkeep.domain.structure import Role
from mailkeep.mail import headers
from mailkeep.mail.body import TextBody
from mailkeep.mail.charsets import decode_text
from mailkeep.mail.mime import Part

# RFC 6522 section 4, RFC 6533 section 5.
HEADERS_ONLY: Final = frozenset({"message/rfc822-headers", "message/global-headers", "text/rfc822-headers"})
MESSAGES: Final = frozenset({"message/rfc822", "message/global"}) | HEADERS_ONLY
# RFC 3464, RFC 6533, RFC 8098, RFC 5965.
REPORTS: Final = frozenset(
    {
        "message/delivery-status",
        "message/disposition-notification",
        "message/feedback-report",
        "message/global-delivery-status",
        "message/global-disposition-notification",
    }
)
_ROLES: Final = {
    **dict.fromkeys(MESSAGES, Role.MESSAGE),
    **dict.fromkeys(REPORTS, Role.REPORT),
    "text/calendar": Role.CALENDAR,
    "application/ics": Role.CALENDAR,
    "application/pkcs7-signature": Role.SIGNATURE,
    "application/x-pkcs7-signature": Role.SIGNATURE,
    "application/pgp-signature": Role.SIGNATURE,
    "application/pkcs7-mime": Role.ENCRYPTED,
    "application/x-pkcs7-mime": Role.ENCRYPTED,
    "application/pgp-encrypted": Role.ENCRYPTED,
    "application/pgp-keys": Role.KEY,
    "application/pkix-cert": Role.KEY,
    "application/ms-tnef": Role.TNEF,
    "application/vnd.ms-tnef": Role.TNEF,
}
# RFC 8551 section 3.2.2.
_SMIME_TYPES: Final = {"signed-data": Role.SIGNATURE, "certs-only": Role.KEY}
_COMMENT: Final = re.compile(r"\([^()]*\)")
# Texts that are made for programs; any other is shown as plain text (RFC 2046 section 4.1.4).
_FOR_PROGRAMS: Final = frozenset(
    {
        "text/calendar",
        "text/css",
        "text/csv",
        "text/directory",
        "text/javascript",
        "text/rfc822-headers",
        "text/rtf",
        "text/vcard",
        "text/x-vcard",
        "text/xml",
    }
)
# What a file is called that has no name: the names in their RFCs, else `attachment` with the usual extension.
_NAMES: Final = {
    "application/ms-tnef": "winmail.dat",
    "application/pgp-encrypted": "version.txt",
    "application/pgp-keys": "key.asc",
    "application/pgp-signature": "signature.asc",
    "application/pkcs7-mime": "smime.p7m",
    "application/pkcs7-signature": "smime.p7s",
    "application/vnd.ms-tnef": "winmail.dat",
    "application/x-pkcs7-mime": "smime.p7m",
    "application/x-pkcs7-signature": "smime.p7s",
    "message/delivery-status": "delivery-status.txt",
    "message/disposition-notification": "disposition-notification.txt",
    "message/feedback-report": "feedback-report.txt",
    "message/global": "message.eml",
    "message/rfc822": "message.eml",
    "message/global-headers": "headers.txt",
    "message/rfc822-headers": "headers.txt",
    "text/calendar": "invite.ics",
    "text/rfc822-headers": "headers.txt",
}
_EXTENSIONS: Final = {
    "application/gzip": "gz",
    "application/json": "json",
    "application/pdf": "pdf",
    "application/xml": "xml",
    "application/zip": "zip",
    "audio/mpeg": "mp3",
    "image/gif": "gif",
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/svg+xml": "svg",
    "image/webp": "webp",
    "text/csv": "csv",
    "text/html": "html",
    "text/markdown": "md",
    "text/plain": "txt",
    "text/vcard": "vcf",
    "text/xml": "xml",
    "video/mp4": "mp4",
}


def is_text(part: Part) -> bool:
    """Whether a reader is shown the part itself: a text that has no name, or is all of the message; no attachment."""
    if disposition(part) == "attachment":
        return False
    declared = part.declared_type()
    if declared in {"text/plain", "text/html"}:
        return not part.within or not filename(part)
    if not declared.startswith("text/") or declared in _FOR_PROGRAMS:
        return False
    # Of alternatives a reader takes one that it knows.
    return part.within != "multipart/alternative" and not filename(part)


def disposition(part: Part) -> str:
    """RFC 2183, in lower case and without its parameters: `attachment`, `inline`, whatever was sent, or nothing."""
    return headers.unfold(str(part.get("content-disposition", "")).partition(";")[0][:100]).lower()


def filename(part: Part) -> str:
    """The name in Content-Disposition, else in Content-Type (RFC 2183, RFC 2231), decoded; empty when there is none.

    It may hold anything, and as much as a header may: see filenames.py for what is fit to be shown or saved.
    """
    value = _parameter(part, "filename", "content-disposition") or _parameter(part, "name", "content-type")
    if not value:
        return ""
    if isinstance(value, tuple):
        charset, _, text = value
        decoded, _ = decode_text(unquote(text).encode("latin-1", "replace"), charset or "")
        return decoded.strip()
    plain = unquote(value)
    if plain.count('"') == 1:
        plain = plain.removeprefix('"')  # it was never closed
    return headers.decode(headers.unfold(plain)).strip()


def _parameter(part: Part, name: str, field: str) -> Any:
    """Of a name that was sent in both forms, the one that says what charset it is in (RFC 6266 section 4.3)."""
    try:
        params: Any = part.get_params([], header=field, unquote=False)
    except (TypeError, ValueError):
        return None
    values = [value for key, value in params if key.lower() == name]
    return next((value for value in values if isinstance(value, tuple)), values[0] if values else None)


def name_for(part: Part, role: Role) -> str:
    """What a file is called whose sender did not name it."""
    declared = part.declared_type()
    if role is Role.ENCRYPTED and declared not in _NAMES:
        return "encrypted.asc"  # RFC 3156 section 4
    extension = _EXTENSIONS.get(declared)
    return _NAMES.get(declared) or (f"attachment.{extension}" if extension else "attachment")


def content_id(part: Part) -> str:
    """The Content-ID without its brackets (RFC 2045 section 7)."""
    return headers.unfold(str(part.get("content-id", ""))).strip("<> ")[:255]


def charset(part: Part) -> str:
    """The charset declared, as it was written."""
    return headers.printable(str(part.get_param("charset", "")))[:100]


def encoding(part: Part) -> str:
    """The Content-Transfer-Encoding in lower case; empty when none is declared (RFC 2045 section 6.1: 7bit)."""
    value = _COMMENT.sub("", headers.unfold(str(part.get("content-transfer-encoding", ""))[:200]))
    return value.strip(" \"';").lower()[:100]


def role_of(part: Part) -> Role:
    if part.is_multipart() or part.get_content_maintype() == "multipart":
        return Role.CONTAINER
    if isinstance(part.body, TextBody):
        return Role.HTML if part.body.is_html else Role.TEXT
    declared = part.declared_type()
    if part.within == "multipart/encrypted":
        return Role.ENCRYPTED
    role = _ROLES.get(declared)
    if role is Role.ENCRYPTED:
        return _SMIME_TYPES.get(str(part.get_param("smime-type", "")).lower(), role)
    if role is not None:
        return role
    return Role.INLINE if _is_inline(part) else Role.ATTACHMENT


def _is_inline(part: Part) -> bool:
    if disposition(part) == "attachment":
        return False
    is_image = part.get_content_maintype() == "image"
    return (part.within == "multipart/related" and bool(content_id(part))) or (
        is_image and disposition(part) == "inline"
    )


def defects_of(part: Part) -> Iterator[str]:
    """The codes of what is odd about a part alone. `StartBoundaryNotFoundDefect` → `start_boundary_not_found`."""
    yield from part.body.decoder.defects if part.body is not None else ()
    for defect in part.defects:
        yield re.sub(r"(?<!^)(?=[A-Z])", "_", type(defect).__name__.removesuffix("Defect")).lower()
