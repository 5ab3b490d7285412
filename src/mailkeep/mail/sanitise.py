"""HTML made safe to look at, when it is looked at: today's rules apply to yesterday's mail."""

from __future__ import annotations

import html
import re
from typing import Final

import nh3

from mailkeep.domain.message import SafeHtml
from mailkeep.mail.removed import count_removed

TAGS: Final = frozenset({"p", "br", "strong", "em", "u", "a", "ul", "ol", "li", "blockquote", "pre", "code"})
ATTRIBUTES: Final = {"a": {"href", "title"}}
SCHEMES: Final = {"http", "https", "mailto"}
LINK_REL: Final = "noopener noreferrer nofollow"
# These go with what is inside them; of every other element the text stays.
WITH_CONTENT: Final = frozenset({"script", "style", "iframe", "object", "embed"})
# nh3 takes quadratic time over nesting, and a browser's patience has limits, too.
MAX_HTML: Final = 512 * 1024
MAX_LEVELS: Final = 500
# It is slow on bare ampersands, too: half a second for as many as this.
MAX_AMPERSANDS: Final = 50_000
_TAG: Final = re.compile(r"<(/?)[a-zA-Z]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def sanitise(markup: str) -> SafeHtml:
    """Exactly the allowlist, and a report of what went. What is past the limits is shown as text.

    Nothing may rewrite the result: what nh3 gives is what the browser gets. Takes long on hostile input: use a thread.
    """
    markup = _SURROGATE.sub("\ufffd", markup)
    cut = _cut(markup)
    safe = nh3.clean(
        markup[:cut],
        tags=set(TAGS),
        attributes=ATTRIBUTES,
        url_schemes=SCHEMES,
        url_relative="deny",
        link_rel=LINK_REL,
        clean_content_tags=set(WITH_CONTENT),
        strip_comments=True,
    )
    if cut < len(markup):
        safe += f"<pre>{html.escape(markup[cut:])}</pre>"
    return SafeHtml(html=safe, removed=count_removed(markup[:cut], allowed=TAGS), truncated=cut < len(markup))


def _cut(markup: str) -> int:
    """Where the limits of size and nesting are reached; the length when they are not."""
    levels = 0
    end = _before_ampersand(markup, MAX_AMPERSANDS, min(len(markup), MAX_HTML))
    for match in _TAG.finditer(markup, 0, end):
        levels += -1 if match[1] else 1
        if levels > MAX_LEVELS:
            return match.start()
        levels = max(levels, 0)
    return end


def _before_ampersand(markup: str, number: int, end: int) -> int:
    """Where the ampersand of that number stands, `end` when there are not so many before it."""
    if markup.count("&", 0, end) < number:
        return end
    at = -1
    for _ in range(number):
        at = markup.index("&", at + 1)
    return at
