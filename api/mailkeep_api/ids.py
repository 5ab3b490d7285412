"""Ids in paths and inputs: opaque, of characters that need no care anywhere."""

from __future__ import annotations

import re
from typing import Final

ID_PATTERN: Final = r"^[A-Za-z0-9_\-]{1,64}$"
_ID: Final = re.compile(ID_PATTERN.strip("^$"))


def is_id(text: str) -> bool:
    """Whether an id of ours can look like this."""
    return _ID.fullmatch(text) is not None
