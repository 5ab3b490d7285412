"""What the sanitiser took out of a message, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mailkeep_web.words import plural

# What matters to a reader, what matters most first. Kinds are the sanitiser's (mailkeep.mail.removed).
_KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "element:script": ("script", "scripts"),
    "handler": ("event handler", "event handlers"),
    "dangerous_link": ("dangerous link", "dangerous links"),
    "meta_refresh": ("redirection to another page", "redirections to another page"),
    "element:base": ("changed base of links", "changed bases of links"),
    "element:form": ("form", "forms"),
    "tracker": ("probable tracking pixel", "probable tracking pixels"),
    "attribute:ping": ("report of clicks", "reports of clicks"),
    "remote_image": ("remote image", "remote images"),
    "embedded_image": ("image within the mail", "images within the mail"),
    "external_resource": ("other thing to be loaded", "other things to be loaded"),
    "relative_link": ("link that leads to no site by itself", "links that lead to no site by themselves"),
    "other_link": ("link that is neither web nor mail", "links that are neither web nor mail"),
    "element:iframe": ("frame", "frames"),
    "element:object": ("embedded object", "embedded objects"),
    "element:embed": ("embedded object", "embedded objects"),
    "element:video": ("video", "videos"),
    "element:audio": ("sound", "sounds"),
    "element:svg": ("drawing", "drawings"),
    "element:math": ("formula", "formulas"),
    "element:link": ("link to a style sheet or the like", "links to style sheets or the like"),
    "element:style": ("style sheet", "style sheets"),
    "style": ("inline style", "inline styles"),
    "comment": ("comment", "comments"),
    "more": ("thing of other kinds", "things of other kinds"),
}
_ATTRIBUTE: Final = "attribute:"
# Counted as images and pixels already; and the frame that every document has.
_UNSAID: Final = frozenset(f"element:{tag}" for tag in ("img", "html", "head", "body", "title", "meta"))


def removed_words(removed: Mapping[str, int]) -> list[str]:
    """`{"element:script": 2}` as `["2 scripts"]`; elements that only lay out are one number at the end."""
    words = [plural(removed[kind], *_KINDS[kind]) for kind in _KINDS if removed.get(kind)]
    rest = {kind: count for kind, count in removed.items() if kind not in _KINDS and kind not in _UNSAID}
    attributes = sum(count for kind, count in rest.items() if kind.startswith(_ATTRIBUTE))
    layout = sum(rest.values()) - attributes
    if attributes:
        words.append(plural(attributes, "other attribute", "other attributes"))
    return [*words, plural(layout, "element of layout", "elements of layout")] if layout else words
