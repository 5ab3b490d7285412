"""What the sanitiser takes out, counted: a reader is told what a mail tried. Safety does not depend on it.

Kinds: `element:<name>`; `handler`, `style`, `attribute:<name>` of those that do something by themselves;
`remote_image`, `embedded_image`, `tracker`; `external_resource` for whatever else would be loaded; `meta_refresh`;
`dangerous_link` (a script), `relative_link`, `other_link` (a scheme that is not allowed); `comment`; `more` for kinds
beyond MAX_KINDS.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Final

from mailkeep.mail.html_tokens import Kind, Token, tokenise
from mailkeep.mail.trackers import is_remote, is_tracker
from mailkeep.mail.urls import is_web_or_mail, scheme_of

MAX_KINDS: Final = 200
_MAX_NAME: Final = 40
_MAX_VALUE: Final = 4_000  # of an attribute: more is not looked at
_MAX_CSS: Final = 65_536  # of a style element
_DANGEROUS: Final = frozenset({"javascript", "vbscript", "data"})
_ACTIVE: Final = frozenset({"autofocus", "ping", "srcdoc"})
_LINKS: Final = frozenset({"href", "xlink:href", "action", "formaction", "src", "data", "background", "poster"})
_LOADED: Final = frozenset({"src", "srcset", "data", "background", "poster", "lowsrc", "dynsrc"})
_LOADED_BY_HREF: Final = frozenset({"link", "image", "use", "feimage"})
_LOADED_BY_CSS: Final = re.compile(r"""@import|url\([\s"']{0,20}(?:https?:|//)""", re.IGNORECASE)


def count_removed(markup: str, *, allowed: Collection[str]) -> dict[str, int]:
    """Kind → count. `allowed` are the elements that stay."""
    removed: Counter[str] = Counter()
    for token in tokenise(markup, len(markup)):
        if token.kind is Kind.COMMENT:
            _count(removed, "comment")
        elif token.kind is Kind.START_TAG:
            _count_tag(removed, token, allowed)
            if token.name == "style":
                css = markup[token.tag_end : min(token.end, token.tag_end + _MAX_CSS)]
                _count(removed, "external_resource", sum(1 for _ in _LOADED_BY_CSS.finditer(css)))
    return dict(sorted(removed.items()))


def _count(removed: Counter[str], kind: str, count: int = 1) -> None:
    if count:
        removed[kind if kind in removed or len(removed) < MAX_KINDS else "more"] += count


def _count_tag(removed: Counter[str], token: Token, allowed: Collection[str]) -> None:
    if token.name not in allowed:
        _count(removed, f"element:{token.name[:_MAX_NAME]}")
    if not token.attributes and token.name != "img":
        return
    values = {name: html.unescape(value[:_MAX_VALUE]) for name, value in token.attributes.items()}
    if token.name == "img" or (token.name == "input" and values.get("type", "").lower() == "image"):
        _count_image(removed, values)
    elif token.name == "meta" and values.get("http-equiv", "").strip().lower() == "refresh":
        _count(removed, "meta_refresh")
    elif token.name == "a" and "href" in values:
        _count_link(removed, values["href"])
    for name, value in values.items():
        _count_attribute(removed, token.name, name, value)


def _count_image(removed: Counter[str], values: Mapping[str, str]) -> None:
    if not is_remote(values):
        _count(removed, "embedded_image")
    else:
        _count(removed, "tracker" if is_tracker(values) else "remote_image")


def _count_link(removed: Counter[str], href: str) -> None:
    """Dangerous ones are counted with the attributes: others than links have them, too."""
    scheme = scheme_of(href)
    if is_web_or_mail(href) or scheme in _DANGEROUS:
        return
    _count(removed, "relative_link" if scheme in {"", "http", "https"} else "other_link")


def _count_attribute(removed: Counter[str], tag: str, name: str, value: str) -> None:
    if name.startswith("on"):
        _count(removed, "handler")
    elif name == "style":
        _count(removed, "style")
        _count(removed, "external_resource", sum(1 for _ in _LOADED_BY_CSS.finditer(value)))
    elif name in _ACTIVE:
        _count(removed, f"attribute:{name}")
    elif name in _LINKS and _is_dangerous(tag, value):
        _count(removed, "dangerous_link")
    elif value and _is_loaded(tag, name):
        _count(removed, "external_resource")


def _is_loaded(tag: str, name: str) -> bool:
    """Whether a browser fetches what the attribute names; images are counted by themselves."""
    if name in {"href", "xlink:href"}:
        return tag in _LOADED_BY_HREF
    return name in _LOADED and tag != "img"


def _is_dangerous(tag: str, url: str) -> bool:
    """An image within the mail itself is none."""
    scheme = scheme_of(url)
    return scheme in _DANGEROUS and not (scheme == "data" and tag == "img")
