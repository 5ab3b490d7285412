"""HTML made safe: the allowlist, nothing else. Hostile markup is in test_sanitise_vectors, size in test_html_limits."""

from __future__ import annotations

import pytest

from mailkeep.mail.sanitise import MAX_ATTRIBUTE_CHARS, sanitise

REL = ' rel="noopener noreferrer nofollow"'


def test_what_is_allowed_stays() -> None:
    markup = '<p>a<br><strong>b</strong></p><ul><li><a href="https://a.test/" title="t">c</a></li></ul><pre>d</pre>'
    kept = sanitise(markup)
    assert kept.html.replace(REL, "") == markup
    assert REL in kept.html
    assert kept.removed == {}
    assert not kept.truncated


@pytest.mark.parametrize(
    "href",
    ["https:/logout", "https:logout", "http:/logout", "https:\\logout", "https:///logout", "http:", "https:/\t/a.test"],
)
def test_attack_052_one_slash_is_a_path_on_our_own_site(href: str) -> None:
    """A browser reads it so when the site has the same scheme (URL standard, "special relative or authority state")."""
    kept = sanitise(f'<a href="{href}">x</a>')
    assert "href" not in kept.html or kept.links[0].host == "a.test"


def test_an_attribute_of_any_length_goes_no_further() -> None:
    kept = sanitise(f'<a href="https://a.test/{"x" * MAX_ATTRIBUTE_CHARS}" title="t">y</a>')
    assert kept.html == f'<a title="t"{REL}>y</a>'


def test_half_a_surrogate_pair_is_no_reason_to_fail() -> None:
    assert sanitise("\ud800<p>x\udfff</p>").html == "\ufffd<p>x\ufffd</p>"
