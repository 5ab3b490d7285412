"""Messages in one mbox file, in its form `mboxrd`: what it changes of a message can be undone exactly.

RFC 4155 appendix A describes the file; a line of a message that begins with `From `, after any number of `>`, gets one
more `>` (attack case 103). Everything else stays as it was received, the line ends too.
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Final

END: Final = b"\n"  # the empty line after a message
_FROM: Final = b"From "
_ESCAPED: Final = re.compile(rb"(\n>*)From ")
_NOT_IN_A_SENDER: Final = re.compile(r"[^!-~]")
_NOBODY: Final = "MAILER-DAEMON"


def from_line(mail_from: str, received_at: datetime) -> bytes:
    """The line before a message; `mail_from` is empty for a notice of non-delivery."""
    sender = _NOT_IN_A_SENDER.sub("_", mail_from) or _NOBODY
    # Not strftime: the names of days and months are those of C, whatever the locale.
    return f"From {sender} {time.asctime(received_at.utctimetuple())}\n".encode("ascii")


async def escaped(chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """A message as it stands in the file; one that ends within a line gets an end of line."""
    at_line_start, held, last = True, b"", b"\n"
    async with aclosing(chunks):
        async for chunk in chunks:
            text = (b"\n" if at_line_start else b"x") + held + chunk
            start, tail = _last_line(text)
            at_line_start = start and _FROM.startswith(tail)
            held = tail if at_line_start else b""
            out = _ESCAPED.sub(rb"\1>From ", text[: len(text) - len(held)])[1:]
            last = chunk[-1:] or last
            yield out
    yield held if last == b"\n" else held + b"\n"


def _last_line(text: bytes) -> tuple[bool, bytes]:
    """Whether the last line is only `>` so far and then the beginning of a `From `; that beginning.

    The `>` need not be held back: to put one more among them is to put one more before them.
    """
    tail = text[text.rfind(b"\n") + 1 :].lstrip(b">") if b"\n" in text else _FROM
    return len(tail) < len(_FROM) and _FROM.startswith(tail), tail
