"""The report of what the sanitiser took out."""

from __future__ import annotations

import pytest

from mailkeep.mail.removed import MAX_KINDS
from mailkeep.mail.sanitise import sanitise

OPAQUE = "8f14e45fceea167a5a36dedd4bea2543"


@pytest.mark.parametrize(
    ("markup", "removed"),
    [
        ("<p>a <a href='https://a.test' title=t>b</a><br></p>", {}),
        ("<!doctype html><![if x]><?xml ?></x>", {}),
        ("<!--a--><!----><!--><b>-->", {"comment": 3, "element:b": 1}),
        ("<script>'<img src=x>'</script>", {"element:script": 1}),
        ("<p onclick=x ONLOAD='y' style=z>", {"handler": 2, "style": 1}),
        ("<p id=a name=b class=c><a ping=//t.test>", {"attribute:ping": 1}),
        ("<p title='<b onload=x>' x='>'>", {}),
        ('<p "><b>">', {"element:b": 1}),
        ("<p x=y/onclick=z>", {}),
        ("<p/onclick=z>", {"handler": 1}),
        ("<b", {}),
        ('<b title="', {}),
        ("<svg/onload=x><set/></svg>", {"element:set": 1, "element:svg": 1, "handler": 1}),
        ("<meta charset=utf-8>", {"element:meta": 1}),
        ("<meta http-equiv=' Refresh' content=0>", {"element:meta": 1, "meta_refresh": 1}),
        ("<base href=https://a.test>", {"element:base": 1}),
        ("<form action=javascript:x>", {"dangerous_link": 1, "element:form": 1}),
    ],
)
def test_elements_and_attributes(markup: str, removed: dict[str, int]) -> None:
    assert sanitise(markup).removed == removed


@pytest.mark.parametrize(
    ("href", "kind"),
    [
        ("javascript:x", "dangerous_link"),
        (" java&Tab;script:x", "dangerous_link"),
        ("&#106;avascript&colon;x", "dangerous_link"),
        ("VBScript:x", "dangerous_link"),
        ("data:text/html,x", "dangerous_link"),
        ("/logout", "relative_link"),
        ("//a.test", "relative_link"),
        ("?x", "relative_link"),
        ("https:/logout", "relative_link"),
        ("tel:+441", "other_link"),
        ("file:///etc/passwd", "other_link"),
    ],
)
def test_links(href: str, kind: str) -> None:
    assert sanitise(f'<a href="{href}">x</a>').removed == {kind: 1}


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ("src=https://a.test/a.png", "remote_image"),
        ("src=//a.test/a.png width=100 height=50", "remote_image"),
        ("src=a.png", "remote_image"),
        ("srcset='https://a.test/a.png 2x'", "remote_image"),
        ("src=cid:a", "embedded_image"),
        ("src=cid:a width=1", "embedded_image"),
        ("src=data:image/png;base64,a", "embedded_image"),
        ("src=https://a.test/a.png width=1 height=1", "tracker"),
        ("src=https://a.test/a.png width=0", "tracker"),
        ("src=https://a.test/a.png height='1px'", "tracker"),
        ("src=https://a.test/a.png hidden", "tracker"),
        ("src=https://a.test/a.png style='display:none'", "tracker"),
        ("src=https://a.test/a.png style='color:red; VISIBILITY : hidden'", "tracker"),
        ("src=https://a.test/a.png style='width:1px;height:1px'", "tracker"),
        ("src=https://a.test/a.png style='opacity:0'", "tracker"),
        ("src=https://a.test/a.png style='opacity:0.5;width:10px;max-height:1em'", "remote_image"),
        ("src=https://a.test/open.gif", "tracker"),
        ("src=https://a.test/track/a.gif", "tracker"),
        ("src=https://a.test/openair.gif", "remote_image"),
        (f"src='https://a.test/a.png?w=600&u={OPAQUE}'", "tracker"),
        (f"src='https://a.test/a.png?{OPAQUE}'", "tracker"),
        ("src='https://a.test/a.png?w=600&title=a-very-long-title-without-digits'", "remote_image"),
        ("src='https://[a.test/a.png'", "remote_image"),
    ],
)
def test_images(attributes: str, kind: str) -> None:
    removed = sanitise(f"<img {attributes}>").removed
    assert {name for name in removed if name in {"remote_image", "embedded_image", "tracker"}} == {kind}
    assert removed["element:img"] == 1


@pytest.mark.parametrize(
    "markup",
    [
        "<style>@import 'https://a.test/a.css';</style>",
        "<style>p { background: url( 'https://a.test/a.png' ) }</style>",
        "<p style='background:url(//a.test/a.png)'>",
        "<body background=https://a.test/a.png>",
        "<video poster=https://a.test/a.png>",
        "<audio src=https://a.test/a.mp3>",
        "<source srcset='https://a.test/a.png 2x'>",
        "<link rel=stylesheet href=https://a.test/a.css>",
        "<script src=https://a.test/a.js></script>",
        "<iframe src=https://a.test/></iframe>",
        "<object data=https://a.test/></object>",
        "<svg><image xlink:href=https://a.test/a.png /></svg>",
    ],
)
def test_whatever_else_would_be_loaded(markup: str) -> None:
    assert sanitise(markup).removed["external_resource"] == 1


def test_the_report_is_bounded() -> None:
    removed = sanitise("".join(f"<x{number}>" for number in range(1_000)) + f"<{'y' * 10_000}>").removed
    assert len(removed) == MAX_KINDS + 1
    assert removed["more"] == 1_001 - MAX_KINDS
    assert max(map(len, removed)) < 60
