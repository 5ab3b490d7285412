"""HTML made safe to look at, when it is looked at: today's rules apply to yesterday's mail."""

from __future__ import annotations

import html
import re
from collections import Counter
from html.parser import HTMLParser
from typing import Final

import nh3

from mailkeep.domain.message import SafeHtml

TAGS: Final = frozenset({"p", "br", "strong", "em", "u", "a", "ul", "ol", "li", "blockquote", "pre", "code"})
ATTRIBUTES: Final = {"a": {"href", "title"}}
SCHEMES: Final = {"http", "https", "mailto"}
LINK_REL: Final = "noopener noreferrer nofollow"
# These go with what is inside them; of every other element the text stays.
WITH_CONTENT: Final = frozenset({"script", "style", "iframe", "object", "embed"})
# nh3 takes quadratic time over nesting, and a browser's patience has limits, too.
MAX_HTML: Final = 512 * 1024
MAX_LEVELS: Final = 500
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
    return SafeHtml(html=safe, removed=_report(markup[:cut]), truncated=cut < len(markup))


def _cut(markup: str) -> int:
    """Where the limits of size and nesting are reached; the length when they are not."""
    levels = 0
    for match in _TAG.finditer(markup, 0, MAX_HTML):
        levels += -1 if match[1] else 1
        if levels > MAX_LEVELS:
            return match.start()
        levels = max(levels, 0)
    return min(len(markup), MAX_HTML)


def _report(markup: str) -> dict[str, int]:
    report = _Report()
    try:
        report.feed(markup)
        report.close()
    except AssertionError:
        # The stdlib's parser gives up on some broken declarations; what it saw until then is counted.
        report.removed["unreadable"] += 1
    return dict(sorted(report.removed.items()))


class _Report(HTMLParser):
    """Counts what the sanitiser takes out: elements by their name, and the kinds that matter to a reader."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.removed: Counter[str] = Counter()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            self.removed[f"element:{tag[:40]}"] += 1
        if tag == "img":
            self.removed["tracker" if _is_pixel(attrs) else "image"] += 1
        for name, value in attrs:
            if name.startswith("on"):
                self.removed["handler"] += 1
            elif name == "style":
                self.removed["style"] += 1
            elif name in {"href", "src", "action", "background"} and _scheme(value) in {
                "javascript",
                "vbscript",
                "data",
            }:
                self.removed["dangerous_link"] += 1

    def handle_comment(self, data: str) -> None:
        self.removed["comment"] += 1


def _is_pixel(attrs: list[tuple[str, str | None]]) -> bool:
    return any(name in {"width", "height"} and value in {"0", "1", "0px", "1px"} for name, value in attrs)


def _scheme(url: str | None) -> str:
    """The scheme as a browser sees it, which passes over control characters and white space."""
    return re.sub(r"[\x00-\x20]", "", url or "").partition(":")[0].lower()
