"""HTML made safe: the allowlist, nothing else, and a report of what went."""

from __future__ import annotations

import re
import time

import pytest

from mailkeep.mail.sanitise import ATTRIBUTES, MAX_HTML, TAGS, sanitise

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '<a href="javascript:alert(1)">x</a>',
    '<a href="java\tscript:alert(1)">x</a>',
    '<a href="&#106;avascript:alert(1)">x</a>',
    '<a href=" \x01javascript:alert(1)">x</a>',
    '<a href="//evil.test/">x</a>',
    '<a href="/logout">x</a>',
    '<a href="?x">x</a>',
    '<a href="data:text/html,<script>alert(1)</script>">x</a>',
    "<svg><script>alert(1)</script></svg>",
    "<svg/onload=alert(1)>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<template><script>alert(1)</script></template>",
    "<style>@import 'https://evil.test/x.css';</style>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<object data=x></object><embed src=x>",
    "<base href='https://evil.test/'>",
    "<meta http-equiv=refresh content='0;url=https://evil.test'>",
    "<link rel=stylesheet href=https://evil.test>",
    "<form action=https://evil.test><input name=password></form>",
    "<p style='background:url(https://evil.test)' onclick=alert(1) id=x name=y>t</p>",
    "<!--><script>alert(1)</script>-->",
    "<xmp><script>alert(1)</script></xmp>",
    "<plaintext><b>x",
    "<a href='https://ok.test' title='\"><script>alert(1)</script>'>x</a>",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<p",
    "\ud800<p>x</p>",
    "<scr\0ipt>alert(1)</script>",
]


@pytest.mark.parametrize("markup", HOSTILE)
def test_nothing_outside_the_allowlist_is_left(markup: str) -> None:
    safe = sanitise(markup).html
    for tag, attributes in re.findall(r"<\s*/?([a-zA-Z][^\s>/]*)([^>]*)>", safe):
        assert tag in TAGS
        for name in re.findall(r'([^\s="]+)="[^"]*"', attributes):
            assert name in ATTRIBUTES["a"] | {"rel"}
    for href in re.findall(r'href="([^"]*)"', safe):
        assert re.match(r"(https?://|mailto:)", href)
    assert sanitise(safe).html == safe


def test_what_is_allowed_stays() -> None:
    markup = '<p>a<br><strong>b</strong></p><ul><li><a href="https://a.test/" title="t">c</a></li></ul><pre>d</pre>'
    kept = sanitise(markup)
    assert 'rel="noopener noreferrer nofollow"' in kept.html
    assert kept.html.replace(' rel="noopener noreferrer nofollow"', "") == markup
    assert kept.removed == {}


def test_the_report_counts_what_went() -> None:
    markup = '<script>x</script><img src="https://t.test/p.gif" width=1 onload=x><img src=a><!-- c -->'
    markup += '<a href="javascript:x">y</a>'
    assert sanitise(markup).removed == {
        "comment": 1,
        "dangerous_link": 1,
        "element:img": 2,
        "element:script": 1,
        "handler": 1,
        "image": 1,
        "tracker": 1,
    }


@pytest.mark.parametrize(
    "markup",
    [
        pytest.param("<blockquote>" * 100_000, id="nesting"),
        pytest.param("<p " + "a=b " * 40_000 + ">x", id="attributes"),
        pytest.param("&" * 500_000, id="ampersands"),
        pytest.param("<!--" * 100_000, id="comments"),
        pytest.param("x" * 5_000_000, id="size"),
        pytest.param("<" * 1_000_000, id="brackets"),
    ],
)
def test_attack_053_hostile_sizes_are_cut(markup: str) -> None:
    started = time.perf_counter()
    safe = sanitise(markup)
    assert safe.truncated == (len(markup) > MAX_HTML or markup.startswith(("<blockquote>", "&")))
    assert time.perf_counter() - started < 20
