"""URLs as a browser reads them (the URL standard of WHATWG), as far as a link in a mail needs it."""

from __future__ import annotations

import re
import unicodedata
from typing import Final, NamedTuple
from urllib.parse import unquote

# A browser drops these at both ends, and tabs and line breaks everywhere.
_AT_THE_ENDS: Final = "".join(map(chr, range(0x21)))
_ANYWHERE: Final = str.maketrans("", "", "\t\n\r")
_SCHEME: Final = re.compile(r"([a-zA-Z][a-zA-Z0-9+.\-]*):")
# With one slash or none, a browser takes the rest for a path on the site that shows it.
_WEB: Final = re.compile(r"https?://([^/\\?#]+)", re.IGNORECASE)
_PORT: Final = re.compile(r":\d*$")
_MAX_HOST: Final = 253  # RFC 1035 section 3.1, as text
_MAX_LABEL: Final = 63


class Target(NamedTuple):
    """Where a link leads. `host` is in lower case and in A-labels; of mailto, that of the first mailbox.

    `user_info` is what stands before the `@` of a web address.
    """

    scheme: str
    host: str
    user_info: str = ""
    mailbox: str = ""


def as_browser_reads(url: str) -> str:
    return url.strip(_AT_THE_ENDS).translate(_ANYWHERE)


def scheme_of(url: str) -> str:
    """In lower case; empty for a relative URL."""
    match = _SCHEME.match(as_browser_reads(url))
    return match[1].lower() if match else ""


def is_web_or_mail(url: str) -> bool:
    """Whether it leads to a host or a mailbox by itself, wherever it is shown."""
    url = as_browser_reads(url)
    return bool(_WEB.match(url)) or url[:7].lower() == "mailto:"


def target_of(url: str) -> Target:
    """Of a URL for which `is_web_or_mail` holds."""
    url = as_browser_reads(url)
    web = _WEB.match(url)
    if web is None:
        mailbox = unquote(url[7:].partition("?")[0]).partition(",")[0].strip()
        return Target("mailto", ascii_host(mailbox.rpartition("@")[2]), mailbox=mailbox)
    user_info, _, host = web[1].rpartition("@")
    return Target(url.partition(":")[0].lower(), ascii_host(_PORT.sub("", host)), user_info)


def ascii_host(host: str) -> str:
    """A host in lower case and A-labels (RFC 5890 section 2.3.2.1), as it is looked up.

    Not checked for being one: what cannot be looked up leads nowhere.
    """
    host = unicodedata.normalize("NFKC", unquote(host[: 3 * _MAX_HOST]).replace("\u3002", ".")).lower()
    return ".".join(map(_a_label, host[:_MAX_HOST].rstrip(".").split(".")))


def _a_label(label: str) -> str:
    return label if label.isascii() else f"xn--{label.encode('punycode').decode('ascii')}"


def display_label(label: str) -> str:
    """An A-label as a reader may see it written; anything else as it is."""
    if not label.startswith("xn--") or len(label) > _MAX_LABEL:
        return label
    try:
        return label[4:].encode("ascii").decode("punycode")
    except UnicodeError:
        return label
