"""The links of a message as data: what a reader can click, where it leads, and whether it says so."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator
from itertools import islice
from typing import Final

from mailkeep.domain.message import Link, LinkWarning
from mailkeep.mail.look_alikes import has_look_alike
from mailkeep.mail.urls import Target, ascii_host, is_web_or_mail, target_of

MAX_LINKS: Final = 500
MAX_TEXT: Final = 200
# nh3 writes attributes in double quotes, with the quotes in them escaped.
_TAG: Final = re.compile(r'<(/?)([a-z]+)((?: [a-z]+="[^"]*")*)>')
_INLINE: Final = frozenset({"a", "code", "em", "strong", "u"})
_HREF: Final = re.compile(r' href="([^"]*)"')
_WEB_ADDRESS: Final = re.compile(r"https?://[^\s<>\"'`{}|\\^]{1,2000}", re.IGNORECASE)
_ENDS_A_SENTENCE: Final = ".,;:!?)]"

_LABEL: Final = r"[^\W_](?:[\w\-]{0,61}[^\W_])?"
_SAID_URL: Final = re.compile(r"(?:https?://|\bwww\.)[^\s<>\"']{1,500}", re.IGNORECASE)
_SAID_MAILBOX: Final = re.compile(rf"[^\s@<>()\"',;:]{{1,64}}@((?:{_LABEL}\.){{1,8}}{_LABEL})")
_SAID_HOST: Final = re.compile(rf"((?:{_LABEL}\.){{1,8}}({_LABEL}))\.?(?::\d+)?([/?#]\S*)?")
# The end of a file's name rather than of a host's.
_FILE_ENDINGS: Final = frozenset(
    {"cs", "css", "csv", "db", "doc", "docx", "eml", "exe", "gif", "go", "gz", "htm", "html", "ics", "jpeg", "jpg"}
    | {"js", "json", "kt", "log", "md", "mp3", "pdf", "php", "png", "ppt", "pptx", "ps", "py", "rb", "rs", "sh"}
    | {"so", "svg", "tar", "ts", "txt", "vb", "xls", "xlsx", "xml", "xz", "yaml", "yml"}
)


def links_of_html(safe: str) -> tuple[Link, ...]:
    """Of nh3's output: the first MAX_LINKS that lead somewhere."""
    links: list[Link] = []
    href: str | None = None
    start = 0
    for match in _TAG.finditer(safe):
        if match[2] != "a":
            continue
        if href is not None:
            links.append(link(_text(safe[start : match.start()]), href))
            if len(links) == MAX_LINKS:
                break
        found = _HREF.search(match[3])
        href = html.unescape(found[1]) if found else None
        start = match.end()
    return tuple(links)


def links_of_text(text: str) -> Iterator[tuple[str, str]]:
    """`text` in pieces: (piece, address) for a web address in it, (piece, "") for the rest. Escape afterwards.

    An address is what is written: nothing else becomes a link, and no other scheme.
    """
    end = 0
    for match in _WEB_ADDRESS.finditer(text):
        address = match.group().rstrip(_ENDS_A_SENTENCE)
        if not is_web_or_mail(address):
            continue
        yield text[end : match.start()], ""
        yield address, address
        end = match.start() + len(address)
    yield text[end:], ""


def links_in_text(text: str) -> tuple[Link, ...]:
    """The first MAX_LINKS different web addresses in a text, each as a link that says where it leads."""
    addresses = dict.fromkeys(address for _, address in links_of_text(text) if address)
    return tuple(link(address[:MAX_TEXT], address) for address in islice(addresses, MAX_LINKS))


def link(text: str, href: str) -> Link:
    """`href` is one that the sanitiser left. Warnings, what matters most first."""
    target = target_of(href)
    warnings = []
    if any(not _is_within(target.host, said) for said in _hosts_said(text, href)):
        warnings.append(LinkWarning.OTHER_HOST)
    elif target.scheme == "mailto" and _names_other_mailbox(text, target):
        warnings.append(LinkWarning.OTHER_MAILBOX)
    if target.user_info:
        warnings.append(LinkWarning.USER_INFO)
    if has_look_alike(target.host):
        warnings.append(LinkWarning.LOOK_ALIKE)
    elif "xn--" in target.host:
        warnings.append(LinkWarning.INTERNATIONAL)
    return Link(text=text, href=href, host=target.host, warnings=tuple(warnings))


def _text(inner: str) -> str:
    """What is to be seen of a link's content: no tags, no characters without width, white space as one space."""
    text = _TAG.sub(lambda tag: "" if tag[2] in _INLINE else " ", inner[: 20 * MAX_TEXT]).partition("<")[0]
    visible = (
        character for character in html.unescape(text) if unicodedata.category(character) not in {"Cf", "Co", "Cs"}
    )
    return " ".join("".join(visible).split())[:MAX_TEXT]


def _hosts_said(text: str, href: str) -> Iterator[str]:
    """The hosts that a link's text names."""
    for url in _SAID_URL.findall(text):
        yield _host_of(url)
    for host in _SAID_MAILBOX.findall(text):
        yield ascii_host(host)
    bare = _SAID_HOST.fullmatch(text)
    if bare and not text.lower().startswith("www.") and _is_host(bare, href):
        yield ascii_host(bare[1])


def _host_of(url: str) -> str:
    return target_of(url if "://" in url else f"http://{url}").host


def _is_host(bare: re.Match[str], href: str) -> bool:
    """`report.pdf` is the name of a file, and so is what the link's own path ends with; `1.2` is a number."""
    ending = bare[2].lower()
    if bare[3]:
        return True
    return ending not in _FILE_ENDINGS and ending.isalpha() and len(ending) > 1 and not href.endswith(f"/{bare[0]}")


def _is_within(host: str, said: str) -> bool:
    """Whether a host is the one that was said, or lies below it; `www.` makes no difference."""
    said = said.removeprefix("www.")
    return host.removeprefix("www.") == said or host.endswith(f".{said}")


def _names_other_mailbox(text: str, target: Target) -> bool:
    said = _SAID_MAILBOX.search(text)
    return bool(said and target.mailbox and said[0].casefold() != target.mailbox.casefold())
