"""How much is sanitised as markup (attack case 53): bounded in time, memory and depth, and honest mail in full."""

from __future__ import annotations

import re
import time

import nh3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostile_sizes import filled, hostile_documents
from mailkeep.mail import html_limits
from mailkeep.mail.html_limits import MAX_CHARS, MAX_LEVELS
from mailkeep.mail.sanitise import MAX_REST_CHARS, sanitise

ROW = (
    '<tr><td style="a:b"><a href="https://a.test/?a=1&amp;b=2"><img src="https://a.test/a.gif"></a><br>text</td></tr>\n'
)
HOSTILE = hostile_documents(5_000_000)


@pytest.mark.parametrize("name", HOSTILE)
def test_attack_053_hostile_markup_is_cut(name: str) -> None:
    started = time.perf_counter()
    safe = sanitise(HOSTILE[name])
    assert time.perf_counter() - started < 15  # benchmarks say how long it takes; this, that it is no matter of minutes
    assert safe.truncated
    assert len(safe.html) < 8_000_000
    assert levels(safe.html) <= MAX_LEVELS


def levels(markup: str) -> int:
    level = deepest = 0
    for slash in re.findall(r"<(/?)(?!br>)[a-zA-Z]", markup):
        level += -1 if slash else 1
        deepest = max(deepest, level)
    return deepest


@pytest.mark.parametrize(
    "markup",
    [
        pytest.param(f"<table>{filled(ROW, 500_000)}</table>", id="a newsletter"),
        pytest.param(filled("<p>text<br>\n", 500_000), id="paragraphs that nobody closes"),
        pytest.param(filled("<tr><td>1<td>2", 500_000), id="cells that nobody closes"),
        pytest.param(filled("<font face=x><p>text</font></p>\n", 100_000), id="tags that cross"),
        pytest.param(filled("<div><svg><path d='M0'/><g></g></svg><p>text</p></div>", 500_000), id="drawings"),
        pytest.param(f"{'<div>' * 300}x{'</div>' * 300}", id="deep"),
    ],
)
def test_what_people_write_is_shown_in_full(markup: str) -> None:
    assert not sanitise(markup).truncated


ELEMENTS = {
    *("a", "b", "big", "blockquote", "body", "button", "caption", "code", "dd", "div", "dt", "em", "font", "form", "g"),
    *("h1", "h2", "head", "html", "i", "li", "mi", "mtext", "nobr", "object", "option", "p", "path", "pre", "select"),
    *("span", "strong", "svg", "table", "tbody", "td", "th", "title", "tr", "u", "ul", "math", "foreignobject", "desc"),
}
NAMES = st.sampled_from(sorted(ELEMENTS | {"br", "hr", "iframe", "img", "script", "style", "template", "textarea"}))
PIECES = st.one_of(
    NAMES.map("<{}>".format),
    NAMES.map("</{}>".format),
    NAMES.map("<{}/>".format),
    NAMES.map('<{} title="'.format),
    st.sampled_from(["<!--", "-->", '">', "<![CDATA[", "]]>", "x", "<?", "<script><!--", "</x>"]),
)


@given(st.lists(PIECES, max_size=5), st.lists(PIECES, min_size=1, max_size=8))
def test_no_tree_is_much_deeper_than_the_upper_bound(before: list[str], again: list[str]) -> None:
    """A table that holds a cell gets a `tbody` and a `tr`: twice as deep, and what there is around the table."""
    markup = "".join(before) + "".join(again) * 40
    tree = nh3.clean(
        markup, tags=ELEMENTS, attributes={}, clean_content_tags={"script", "style"}, url_relative="deny", link_rel=None
    )
    walk = html_limits._Walk(markup, len(markup))
    walk.certain()
    assert levels(tree) <= 2 * walk.deepest + 12


def test_what_is_past_the_limits_is_shown_as_text() -> None:
    markup = "<p>x</p>" * (MAX_CHARS // 8) + "<b>rest</b>" + "y" * MAX_REST_CHARS + "gone"
    safe = sanitise(markup)
    assert safe.truncated
    assert safe.html.startswith("<p>x</p>")
    assert "<pre>&lt;b&gt;rest&lt;/b&gt;y" in safe.html
    assert safe.html.endswith("y</pre>")


def test_a_tag_is_not_cut_in_two() -> None:
    markup = "x" * (MAX_CHARS - 5) + '<a href="https://a.test/">link</a>'
    assert '<pre>&lt;a href="https://a.test/"&gt;link&lt;/a&gt;</pre>' in sanitise(markup).html


def test_what_is_too_deep_is_shown_as_text() -> None:
    safe = sanitise("<blockquote>" * 600 + "x" + "</blockquote>" * 600)
    assert safe.truncated
    assert levels(safe.html) == MAX_LEVELS
    assert "x&lt;/blockquote&gt;" in safe.html
