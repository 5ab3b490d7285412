"""Mail that shows an operator whether clamd looks at all that it is sent. What it does not look at it calls clean."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Final

from mailkeep.mail.scan import MAIL_MARK

# In pieces, so that nobody's scanner takes this file for the harmless test file.
EICAR: Final = b"".join((rb"X5O!P%@AP[4\PZX54(P^)", rb"7CC)7}$EICAR-STANDARD", rb"-ANTIVIRUS-TEST-FILE!$H+H*"))
DEPTH: Final = 250  # clamd's MaxRecursion is 100 at most

_MULTIPART: Final = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
_FILLER: Final = b"Nothing is to be found in this line.\r\n" * 1_000


def large_mail(size_bytes: int) -> Iterator[bytes]:
    """A mail of about that size, with the EICAR test file as an attachment at its end."""
    yield MAIL_MARK + _MULTIPART + b"--b\r\nContent-Type: text/plain\r\n\r\n"
    for _ in range(size_bytes // len(_FILLER)):
        yield _FILLER
    yield b"--b\r\nContent-Type: application/octet-stream; name=eicar.com\r\n"
    yield b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(EICAR) + b"--b--\r\n"


def deep_mail() -> Iterator[bytes]:
    """Messages within messages, more than clamd takes apart; there is nothing bad in them."""
    yield MAIL_MARK
    for _ in range(DEPTH):
        yield b"Subject: deep\r\nMIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n\r\n"
    yield b"Subject: bottom\r\n\r\nNothing.\r\n"
