"""Where an element went that began a line of its own, a line break is left."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailkeep.mail.html_breaks import with_breaks
from mailkeep.mail.html_tokens import tokenise
from mailkeep.mail.sanitise import sanitise


@pytest.mark.parametrize(
    ("markup", "shown"),
    [
        ("<div>line one</div><div>line two</div>", "line one<br>line two"),
        ("<div><div><div>deep</div></div></div><div>x</div>", "deep<br>x"),
        ("<div>a<span>b</span></div>", "ab"),
        ("<h1>Title</h1>Text", "Title<br>Text"),
        ("One<div><br></div><div>Two</div>", "One<br><br>Two"),
        ("Hi<br><br><div>there</div>", "Hi<br><br>there"),
        ("<p>One</p><div>Two</div>", "<p>One</p>Two"),
        ("<div>a<p>b</p>c</div>", "a<p>b</p>c"),
        ("<ul><li><div>x</div></li><li>y</li></ul>z", "<ul><li>x</li><li>y</li></ul>z"),
        ("<div>a</div><div><strong>b</strong></div>", "a<br><strong>b</strong>"),
        ("<table><tr><td>1</td><td>2</td></tr><tr><td>3</td><th>4</th></tr></table>end", "1 2<br>3 4<br>end"),
        ("<table><tr><td>a<table><tr><td>b</td></tr></table>c</td></tr></table>d", "a<br>b<br>c<br>d"),
        ("a<hr>b", "a<br>b"),
        ("<!doctype html><title>t</title><div>a</div>", "ta"),
        ("<style>x</style><div>a</div>", "a"),
    ],
)
def test_breaks_that_went_with_an_element(markup: str, shown: str) -> None:
    assert sanitise(markup).html == shown


_TAGS = (
    "<div>",
    "</div>",
    "<table>",
    "</table>",
    "<tr>",
    "<td>",
    "</td>",
    "<p>",
    "<li>",
    "<br>",
    "<svg>",
    "<b>",
    "<pre>",
)
_OTHERS = ("<script>x</script>", "<!--", "-->", "<!x>", "<a href='https://a.test/'>", "text ", "&amp;", "\n", "<", ">")
_PIECES = st.lists(st.sampled_from(_TAGS + _OTHERS), max_size=30).map("".join)


@settings(max_examples=300, deadline=None)
@given(markup=_PIECES)
def test_nothing_but_breaks_is_put_in(markup: str) -> None:
    written = with_breaks(markup, tokenise(markup, len(markup)))
    assert _without_breaks(written) == _without_breaks(markup)


def _without_breaks(markup: str) -> str:
    return re.sub(r"<br>|\s", "", markup)


def test_attack_053_half_a_megabyte_of_lines() -> None:
    markup = "<div>x" * 90_000
    started = time.process_time()
    with_breaks(markup, tokenise(markup, len(markup)))
    assert time.process_time() - started < 10
