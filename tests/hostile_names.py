"""Names that a sender may give a file (attack case 58): one table for disk, header, page and archive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class HostileName:
    """A name as sent, as it is saved, and as it is shown to be what was sent."""

    sent: str
    saved: str
    seen: str

    def __str__(self) -> str:
        """For the name of a test."""
        return ascii(self.sent[:40])


def _unaltered(name: str) -> HostileName:
    return HostileName(name, name, name)


def _seen_as_sent(sent: str, saved: str) -> HostileName:
    return HostileName(sent, saved, sent)


HOSTILE_NAMES: Final = (
    _unaltered("report.pdf"),
    _unaltered("Übersicht 2026.pdf"),
    _unaltered("日本語の名前.txt"),
    _unaltered("🎄 liste 🎅.txt"),
    _unaltered("contract.txt"),
    _unaltered("invoice.pdf.exe"),
    _unaltered("no extension"),
    _seen_as_sent("../../etc/passwd", "passwd"),
    _seen_as_sent("/etc/cron.d/x", "x"),
    _seen_as_sent("C:\\Windows\\x.exe", "x.exe"),
    _seen_as_sent("\\\\server\\share\\x.lnk", "x.lnk"),
    _seen_as_sent("..%2f..%2fx", "%2f..%2fx"),
    _seen_as_sent("x.txt:hidden.exe", "x.txt_hidden.exe"),
    _seen_as_sent("a\"b'c`d<e>f|g?h*.txt", "a_b'c`d_e_f_g_h_.txt"),
    _seen_as_sent("<script>alert(1)</script>.html", "script_.html"),
    _seen_as_sent(".", "attachment"),
    _seen_as_sent("..", "attachment"),
    _seen_as_sent("/", "attachment"),
    _seen_as_sent("...   ", "attachment"),
    _seen_as_sent("", "attachment"),
    _seen_as_sent(".htaccess", "htaccess"),
    _seen_as_sent("trailing. . .", "trailing"),
    _seen_as_sent("con", "_con"),
    _seen_as_sent("COM1.txt", "_COM1.txt"),
    _seen_as_sent("lpt¹.txt", "_lpt¹.txt"),
    _seen_as_sent("aux .c", "_aux.c"),
    _seen_as_sent("x" * 300 + ".pdf", "x" * 146 + ".pdf"),
    _seen_as_sent("é" * 900 + ".pdf", "é" * 118 + ".pdf"),
    _seen_as_sent("🎄" * 100, "🎄" * 60),
    HostileName("y" * 4_096 + ".pdf", "y" * 146 + ".pdf", "y" * 1_000),
    HostileName("a\0b\r\nSet-Cookie: c=d", "abSet-Cookie_ c=d", "a\\u0000b\\u000d\\u000aSet-Cookie: c=d"),
    HostileName("\u202egnp.exe", "gnp.exe", "\\u202egnp.exe"),
    HostileName("a\u2066b\u2069\u200b.txt", "ab.txt", "a\\u2066b\\u2069\\u200b.txt"),
    HostileName("half\ud800pair", "halfpair", "half\\ud800pair"),
    HostileName("line\u2028break", "linebreak", "line\\u2028break"),
    HostileName("esc\x1b[31mred", "esc[31mred", "esc\\u001b[31mred"),
    HostileName("tag\U000e0041.txt", "tag.txt", "tag\\U000e0041.txt"),
)

# A name travels in UTF-8 (RFC 8187, RFC 2231), which has no half of a surrogate pair.
SENDABLE_NAMES: Final = tuple(name for name in HOSTILE_NAMES if name.sent and "\ud800" not in name.sent)


def mail_with_hostile_names() -> bytes:
    """A mail with an attachment of each name that can be sent."""
    parts = [
        "Content-Type: application/octet-stream\r\nContent-Disposition: attachment; "
        f"filename*=utf-8''{quote(name.sent, safe='')}\r\n\r\n{number}\r\n"
        for number, name in enumerate(SENDABLE_NAMES)
    ]
    head = 'From: a@sender.test\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'
    separator = "--b\r\n"
    return f"{head}{separator}{separator.join(parts)}--b--\r\n".encode()
