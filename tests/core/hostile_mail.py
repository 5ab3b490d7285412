"""Messages built to take a parser long: each grows with the size that is asked for."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Final

MULTIPART: Final = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
HEAD: Final = b"From: a@a.test\r\nSubject: hostile\r\nDate: Tue, 24 Nov 2026 08:00:00 +0000\r\n"


def filled(piece: bytes, size: int) -> bytes:
    return piece * (size // len(piece))


def nested(size: int) -> bytes:
    levels = 10_000
    opening = b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n"
    return b"".join(opening % (n, n) for n in range(levels)) + filled(b"x\r\n", size - 60 * levels)


def many_parts(size: int) -> bytes:
    return MULTIPART + filled(b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n", size) + b"--b--\r\n"


def thousand_parts(header: bytes, size: int) -> bytes:
    """As many parts as are taken apart, each with a header that is as long as may be read."""
    part = b"--b\r\n" + header + b"\r\n\r\n" + b"x" * (size // 990 - len(header) - 20) + b"\r\n"
    return MULTIPART + part * 990 + b"--b--\r\n"


def plain(charset: str, text: bytes, size: int) -> bytes:
    return b"Content-Type: text/plain; charset=" + charset.encode() + b"\r\n\r\n" + filled(text, size)


def encoded(encoding: str, line: bytes, size: int) -> bytes:
    return f"Content-Type: text/plain\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode() + filled(line, size)


# The parser's limits lie between 64 KB and 2 MB: what a shape costs is paid before them.
SHAPES: Final[Mapping[str, Callable[[int], bytes]]] = {
    "many headers": lambda size: filled(b"X: a\r\n", size) + b"\r\nx",
    "one endless header": lambda size: b"Subject: " + b"a" * size + b"\r\n\r\nx",
    "endless folding": lambda size: b"Subject: a" + filled(b"\r\n a", size) + b"\r\n\r\nx",
    "folded white space": lambda size: b"Subject: a" + filled(b"\r\n \t", size) + b"\r\n\r\nx",
    "endless header name": lambda size: b"X" * size + b": a\r\n\r\nx",
    "headers without a colon": lambda size: filled(b"x" * 70 + b"\r\n", size),
    "spaces before the colon": lambda size: b"Subject" + b" " * size + b"x\r\n\r\nx",
    "semicolons": lambda size: b"Content-Type: a/b" + b";" * size + b"\r\n\r\nx",
    "parameters": lambda size: b"Content-Type: a/b" + filled(b"; a=b", size) + b"\r\n\r\nx",
    "continuations": lambda size: (
        b"Content-Type: a/b" + b"".join(b";\r\n name*%d=x" % n for n in range(size // 14)) + b"\r\n\r\nx"
    ),
    "quotes in parameters": lambda size: b'Content-Type: a/b; name="' + b'\\"' * (size // 2) + b'"\r\n\r\nx',
    "parameters in a thousand parts": lambda size: thousand_parts(b"Content-Type: a/b" + b"; a=b" * 800, size),
    "file names in a thousand parts": lambda size: thousand_parts(
        b"Content-Disposition: a; " + b"".join(b"filename*%d*=%%e2;" % n for n in range(250)), size
    ),
    "deep nesting": nested,
    "many parts": many_parts,
    "messages in messages": lambda size: b"Content-Type: message/rfc822\r\n\r\n" * 49 + b"\r\n" + b"x" * size,
    "reports": lambda size: b"Content-Type: message/delivery-status\r\n\r\n" + filled(b"Action: x\r\n\r\n", size),
    "100,000 addresses": lambda size: b"To: " + filled(b"a@b.test,\r\n ", size) + b"\r\n\r\nx",
    "commas": lambda size: b"To: " + b"," * size + b"\r\n\r\nx",
    "brackets": lambda size: b"From: " + b"(" * size + b"\r\n\r\nx",
    "angle brackets": lambda size: b"From: " + b"<" * size + b"\r\n\r\nx",
    "escaped quotes": lambda size: b"From: " + b'"\\' * (size // 2) + b"\r\n\r\nx",
    "groups": lambda size: b"From: " + b"a:" * (size // 2) + b"\r\n\r\nx",
    "addresses in 100 fields": lambda size: filled(b"To: " + b"a@b.test, " * 250 + b"\r\n", size) + b"\r\n\r\nx",
    "encoded words": lambda size: b"Subject: " + filled(b"=?utf-8?q?a?= ", size) + b"\r\n\r\nx",
    "a long encoded word": lambda size: b"Subject: =?utf-8?b?" + b"YWFh" * (size // 4) + b"?=\r\n\r\nx",
    "encoded words without an end": lambda size: b"Subject: " + b"=?a?q?" * (size // 6) + b"\r\n\r\nx",
    "dates": lambda size: b"Date: " + b"1 Jan " * (size // 6) + b"\r\n\r\nx",
    "received": lambda size: (b"Received: " + b"from <" * 400 + b"\r\n") * 90 + b"\r\n" + b"x" * (size - 216_000),
    "boundaries that nearly match": lambda size: MULTIPART + filled(b"--b x\r\n", size),
    "dashes": lambda size: MULTIPART + filled(b"--\n", size),
    "a long boundary, nearly": lambda size: (
        b"Content-Type: multipart/mixed; boundary=" + b"b" * 4_000 + b"\r\n\r\n"
        + filled(b"--" + b"b" * 3_999 + b"\n", size)
    ),
    "blank lines": lambda size: filled(b"\r\n", size),
    "carriage returns": lambda size: b"\r\n" + b"\r" * size,
    "one line": lambda size: b"\r\n" + b"x" * size,
    "flowed lines": lambda size: b"Content-Type: text/plain; format=flowed\r\n\r\n" + filled(b"> \r\n", size),
    "quote marks": lambda size: b"Content-Type: text/plain; format=flowed\r\n\r\n" + b">" * size,
    "broken UTF-8": lambda size: plain("utf-8", b"\xe2\x82 \xc3", size),
    "windows-1252 as GB 18030": lambda size: plain("gb18030", b"\xff\xfe a", size),
    "ISO 2022": lambda size: plain("iso-2022-jp", b"\x1b$B\x1b(B", size),
    "UTF-7": lambda size: plain("utf-7", b"+ADw-", size),
    "quoted-printable": lambda size: encoded("quoted-printable", b"=41" * 24 + b"=\r\n", size),
    "quoted spaces": lambda size: encoded("quoted-printable", b" " * 75 + b"\r\n", size),
    "a line of quoted spaces": lambda size: encoded("quoted-printable", b" ", size),
    "padded base64": lambda size: encoded("base64", b"QQ==", size),
    "base64 with junk": lambda size: encoded("base64", b"Q*U-I_D\r\n", size),
    "uuencode": lambda size: encoded("x-uuencode", b"begin 644 a\r\n#86)C\r\n", size),
    "an attachment": lambda size: (
        b"Content-Type: application/x-a\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(bytes(size * 3 // 4))
    ),
    "nested HTML": lambda size: b"Content-Type: text/html\r\n\r\n" + filled(b"<blockquote>", size),
    "unclosed HTML tags": lambda size: b"Content-Type: text/html\r\n\r\n" + b"<a " * (size // 3),
    "HTML ampersands": lambda size: b"Content-Type: text/html\r\n\r\n" + b"&" * size,
    "HTML charsets": lambda size: b"Content-Type: text/html\r\n\r\n" + filled(b"<meta ", size),
    "forwarded HTML": lambda size: (
        MULTIPART + filled(b"--b\r\nContent-Type: message/rfc822\r\n\r\nContent-Type: text/html\r\n\r\n"
                           + b"<b><i>" * 5_000 + b"\r\n", size) + b"--b--\r\n"
    ),
}  # fmt: skip
