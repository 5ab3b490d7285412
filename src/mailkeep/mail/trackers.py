"""Images that are there to be fetched and not to be seen: they tell the sender when and where a mail is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from mailkeep.mail.urls import as_browser_reads, scheme_of

_PIXEL: Final = re.compile(r"\s*[01](?:\.\d*)?\s*(?:px)?\s*")
_HIDDEN_BY_CSS: Final = re.compile(
    r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden|opacity\s*:\s*0(?:\.0*)?\s*(?:;|!|$)"
    r"|(?:max-)?(?:width|height)\s*:\s*[01](?:\.\d*)?(?:px)?\s*(?:;|!|$))",
    re.IGNORECASE,
)
# A word of the path that says what it is for.
_TELLING_PATH: Final = re.compile(r"(?:^|[/._\-])(?:beacon|open|pixel|track|tracking|trk)(?:$|[/._\-])", re.IGNORECASE)
# A value that names one reader of one mail: long, of letters and digits, and no word.
_OPAQUE: Final = re.compile(r"(?=[^=&]{0,200}\d)(?=[^=&]{0,200}[A-Za-z])[A-Za-z0-9_\-.~%+/]{24,}={0,2}")
_MAX_STYLE: Final = 2_000


def is_remote(image: Mapping[str, str]) -> bool:
    """Whether showing it would ask somebody. `image`: the attributes of an `img`."""
    source = image.get("srcset") or image.get("src", "")
    return bool(source.strip()) and scheme_of(source) not in {"cid", "data"}


def is_tracker(image: Mapping[str, str]) -> bool:
    """Whether a remote image is probably one: not to be seen, or named like one."""
    if "hidden" in image or any(_PIXEL.fullmatch(image.get(side, "")) for side in ("width", "height")):
        return True
    return bool(_HIDDEN_BY_CSS.search(image.get("style", "")[:_MAX_STYLE])) or _names_a_reader(image.get("src", ""))


def _names_a_reader(url: str) -> bool:
    try:
        parts = urlsplit(as_browser_reads(url))
    except ValueError:  # brackets that hold no address
        return False
    values = (field.partition("=")[2] or field for field in parts.query.split("&"))
    return bool(_TELLING_PATH.search(parts.path)) or any(_OPAQUE.fullmatch(value) for value in values)
