"""HTML made safe to look at, when it is looked at: today's rules apply to yesterday's mail."""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Mapping
from typing import Final

import nh3

from mailkeep.domain.message import SafeHtml
from mailkeep.mail.html_breaks import with_breaks
from mailkeep.mail.html_limits import MAX_CHARS, MAX_LEVELS, limits_of
from mailkeep.mail.html_tokens import tokenise
from mailkeep.mail.links import links_of_html
from mailkeep.mail.removed import count_removed
from mailkeep.mail.urls import is_web_or_mail

TAGS: Final = frozenset({"p", "br", "strong", "em", "u", "a", "ul", "ol", "li", "blockquote", "pre", "code"})
# Of all elements none: nh3 would let `lang` and `title` through.
ATTRIBUTES: Final[Mapping[str, Collection[str]]] = {"*": frozenset(), "a": frozenset({"href", "title"})}
SCHEMES: Final = {"http", "https", "mailto"}
LINK_REL: Final = "noopener noreferrer nofollow"
# These go with what is inside them; of every other element the text stays.
WITH_CONTENT: Final = frozenset({"script", "style", "iframe", "object", "embed"})
# Of a link, and of all links together, however often a link is written again (see html_limits).
MAX_ATTRIBUTE_CHARS: Final = 16_384
MAX_ATTRIBUTES_CHARS: Final = 2 * MAX_CHARS
MAX_PASSES: Final = 4
# What is past the limits, as text. The whole of it is in the HTML as received.
MAX_REST_CHARS: Final = MAX_CHARS
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_LEADING_BREAKS: Final = re.compile("<pre>[\r\n]+")  # of which each reader drops one
_LEVEL: Final = re.compile(r'<(/?)(?:p|strong|em|u|a|ul|ol|li|blockquote|pre|code)(?: [a-z]+="[^"]*")*>')


def sanitise(markup: str) -> SafeHtml:
    """Exactly the allowlist, with the links that are left in it, and a report of what went.

    What is past the limits is shown as text. Nothing may rewrite the result: what nh3 gives is what the browser gets.
    Takes a second on hostile input: use a thread.
    """
    length = len(markup)
    markup = _SURROGATE.sub("\ufffd", markup[: MAX_CHARS + MAX_REST_CHARS])
    limits = limits_of(markup)
    cut = limits.of_work
    safe = clean(_with_breaks(markup[:cut]))
    if cut > limits.of_levels and _levels(safe) > MAX_LEVELS:
        cut = limits.of_levels
        safe = clean(_with_breaks(markup[:cut]))
    safe, cut = _settled(safe, cut)
    links = links_of_html(safe)
    if cut < length:
        safe += f"<pre>{html.escape(markup[cut : cut + MAX_REST_CHARS], quote=False)}</pre>"
    removed = count_removed(markup[:cut], allowed=TAGS)
    return SafeHtml(html=safe, removed=removed, links=links, truncated=cut < length)


def _with_breaks(markup: str) -> str:
    return with_breaks(markup, tokenise(markup, len(markup)))


def _settled(safe: str, cut: int) -> tuple[str, int]:
    """What nh3 leaves as it is when it reads it again, as a browser will; nothing, cut at 0, when it never does.

    A link within a table within a link comes out as a link within a link: the next reader takes that for two.
    """
    for _ in range(MAX_PASSES):
        again = clean(_LEADING_BREAKS.sub("<pre>", safe))
        if again == safe:
            return safe, cut
        safe = again
    return "", 0


def clean(markup: str) -> str:
    """By nh3, once: of markup that is not too much for it."""
    return nh3.clean(
        markup,
        tags=set(TAGS),
        attributes={tag: set(names) for tag, names in ATTRIBUTES.items()},
        attribute_filter=_AttributeFilter(),
        url_schemes=SCHEMES,
        url_relative="deny",
        link_rel=LINK_REL,
        clean_content_tags=set(WITH_CONTENT),
        strip_comments=True,
    )


class _AttributeFilter:
    """Asked by nh3 about every attribute that is left. Without it `https:/logout` would link to a page of ours."""

    def __init__(self) -> None:
        self._chars = 0

    def __call__(self, tag: str, name: str, value: str) -> str | None:
        if name == "rel":
            return value
        self._chars += len(value)
        if len(value) > MAX_ATTRIBUTE_CHARS or self._chars > MAX_ATTRIBUTES_CHARS:
            return None
        return value if name != "href" or is_web_or_mail(value) else None


def _levels(safe: str) -> int:
    """How deep the elements of nh3's output lie in each other."""
    level = deepest = 0
    for match in _LEVEL.finditer(safe):
        level += -1 if match[1] else 1
        deepest = max(deepest, level)
    return deepest
