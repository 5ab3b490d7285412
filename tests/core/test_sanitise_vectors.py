"""Cases 51 and 52 of the attacks: whatever comes in, what is left is the allowlist, as another parser reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from justhtml import Element, JustHTML, Node, Text

from mailkeep.mail.sanitise import ATTRIBUTES, SCHEMES, TAGS, clean, sanitise
from vectors import Vector, all_vectors

VECTORS = all_vectors()


def nodes_of(markup: str, *, scripting: bool) -> Iterator[Node | Text]:
    """Everything that a parser of HTML which is not nh3's makes of it."""
    document = JustHTML(markup, fragment=True, sanitize=False, scripting_enabled=scripting)
    open_nodes: list[Node | Text] = [document.root]
    while open_nodes:
        node = open_nodes.pop()
        yield node
        open_nodes += reversed(getattr(node, "children", None) or [])


def visible_text(markup: str) -> str:
    return "".join(node.data or "" for node in nodes_of(markup, scripting=False) if isinstance(node, Text))


def assert_only_the_allowlist(markup: str) -> None:
    for scripting in (False, True):
        for node in nodes_of(markup, scripting=scripting):
            if isinstance(node, Element):
                assert_allowed(node)
            else:
                assert node.name in {"#document-fragment", "#text"}


def assert_allowed(element: Element) -> None:
    assert (element.namespace, element.name in TAGS) == ("html", True), element.name
    assert set(element.attrs) <= {*ATTRIBUTES.get(element.name, ()), *(["rel"] if element.name == "a" else [])}
    if element.name == "a":
        assert element.attrs["rel"] == "noopener noreferrer nofollow"
    href = element.attrs.get("href")
    if href is not None:
        assert_leads_somewhere(href)


def assert_leads_somewhere(href: str) -> None:
    """A scheme that is allowed, and nothing that depends on where it is shown."""
    url = re.sub("[\t\n\r]", "", href.strip("".join(map(chr, range(0x21)))))
    assert re.match(r"(?:https?://[^/\\?#]|mailto:)", url, re.IGNORECASE), href
    assert url.partition(":")[0].lower() in SCHEMES


def test_there_are_enough() -> None:
    assert len(VECTORS) >= 500


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_attack_051_052_only_the_allowlist_is_left(vector: Vector) -> None:
    safe = sanitise(vector.markup).html
    assert_only_the_allowlist(safe)
    assert clean(safe) == safe
    text = visible_text(safe)
    assert ("kept" in text) == ("kept" in vector.markup)
    assert "lost" not in text


PIECES = [
    *(
        "<p>",
        "</p>",
        "<a href='https://a.test/' title='",
        "'>",
        '">',
        "</a>",
        "<svg>",
        "</svg>",
        "<math>",
        "<mtext>",
        "<style>",
    ),
    *("</style>", "<script>", "</script>", "<!--", "-->", "<![CDATA[", "]]>", "<table>", "<td>", "</table>", "<form>"),
    *(
        "</form>",
        "<select>",
        "<noscript>",
        "</noscript>",
        "<template>",
        "<title>",
        "</title>",
        "<textarea>",
        "<pre>",
        "\n",
    ),
    *("<mglyph>", "<annotation-xml encoding=text/html>", "<foreignObject>", "<desc>", "<img src=x onerror=alert(1)>"),
    *(
        "<blockquote>",
        "</blockquote>",
        "<ul>",
        "<li>",
        "<strong>",
        "</strong>",
        "<em>",
        "&lt;",
        "&",
        "\0",
        "<",
        "x",
        "<br>",
    ),
    *("<object>", "</object>", "<iframe>", "</iframe>", "<a href='javascript:x'>", "<xmp>", "</xmp>", "<u>", "<code>"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join) | st.text(max_size=100))
def test_attack_051_whatever_is_put_together(markup: str) -> None:
    safe = sanitise(markup).html
    assert_only_the_allowlist(safe)
    assert sanitise(safe).html == safe


def test_the_other_parser_would_notice() -> None:
    for markup in (
        "<img src=x>",
        "<a href=/x rel='noopener noreferrer nofollow'>",
        "<!--x-->",
        "<p id=x>",
        "<svg></svg>",
    ):
        with pytest.raises(AssertionError):
            assert_only_the_allowlist(markup)
