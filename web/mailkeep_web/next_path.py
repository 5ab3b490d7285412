"""Where to go after a log-in: a path of ours, and nothing that a browser could take for another site."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlencode

HOME: Final = "/inbox"
MAX_CHARS: Final = 2048
# One slash, then neither a slash nor a backslash, which browsers read as one; no control characters, which they drop.
_LOCAL_PATH: Final = re.compile(r"/(?:[!-.0-\[\]-~][!-\[\]-~]*)?")


def safe_next(wanted: str | None) -> str:
    """`wanted` when it is a path on this origin, else the inbox."""
    if wanted is not None and len(wanted) <= MAX_CHARS and _LOCAL_PATH.fullmatch(wanted):
        return wanted
    return HOME


def login_url(wanted: str) -> str:
    """The log-in page, which leads on to `wanted`."""
    target = safe_next(wanted)
    return "/login" if target == HOME else f"/login?{urlencode({'next': target})}"
