"""Documents that are made to take long, and to come out as more than went in."""

from __future__ import annotations

from typing import Final

_DISTINCT: Final = "<p>" + "".join(f"<u a{number}>" for number in range(499)) + "</p>"
_LONG_LINK: Final = f'<p><a href="https://a.test/{"x" * 10_000}"></p>'
_HIDDEN_LINK: Final = f'<svg><p><a title="{"x" * 90_000}"></p>'
# Each fills a document by itself.
_UNITS: Final = {
    "text": "x",
    "nested blockquotes": "<blockquote>",
    "nesting behind end tags of nothing": "<blockquote></x>",
    "nesting behind end tags in comments": "<blockquote><!--</blockquote>-->",
    "nesting behind end tags in attributes": '<blockquote title="</blockquote>">',
    "nesting behind end tags that do not count": "<div><select></div></select>",
    "nested lists": "<ul><li>",
    "nested tables": "<table><tr><td>",
    "paragraphs that nobody closes": "<p>x",
    "formatting elements": "<a><b><i>",
    "distinct formatting elements that cross": "<b><p></b>",
    "links that cross": "<a href=https://a.test/><p>x</a>",
    "links": "<a href=https://a.test/>x</a>",
    "svg": "<svg><g><foreignObject>",
    "math": "<math><mi>",
    "templates": "<template>",
    "forms and selects": "<form><select><option>",
    "ampersands": "&",
    "entities": "&#x41;",
    "entities without semicolons": "&amp",
    "comments that never end": "<!--",
    "comments": "<!--x-->",
    "quotes that never end": '<a href="x ',
    "brackets": "<",
    "start tags that never end": "<p ",
    "end tags": "</p>",
    "unknown elements": "<x>",
    "scripts": "<script>x</script>",
    "NUL": "\0",
    "images": "<img src=https://a.test/a.png?u=8f14e45fceea167a5a36dedd4bea2543>",
}


def filled(unit: str, size: int) -> str:
    """About `size` characters of it."""
    return unit * (size // len(unit))


def hostile_documents(size: int) -> dict[str, str]:
    """What it tries → a document of at most about `size` characters."""
    paragraphs = filled("<p>x</p>", size)
    return {name: filled(unit, size) for name, unit in _UNITS.items()} | {
        "blockquotes that are closed": "<blockquote>" * (size // 25) + "</blockquote>" * (size // 25),
        "formatting that is opened again": _DISTINCT + paragraphs,
        "a long link that is opened again": _LONG_LINK + paragraphs,
        "a long link that is opened again, unseen": _HIDDEN_LINK + paragraphs,
        "40,000 attributes": "<p " + " ".join(f"a{number}=b" for number in range(40_000)) + ">x",
        "as many attributes as there is room for": f"<p {filled('ab=cd ', size)}>x",
        "attributes of the root": "".join(f"<html a{number}=b>" for number in range(size // 20)),
        "500,000 ampersands": "&" * 500_000,
        "one attribute": f'<p title="{filled("x", size)}">y',
        "one link": f'<a href="https://a.test/{filled("x", size)}">y</a>',
        "one tag of slashes": f"<p {filled('/', size)}>",
        "one tag of quotes": f"<p {filled('a' + chr(34), size)}>",
        "one comment of dashes": f"<!--{filled('-', size)}",
        "one style": f"<style>{filled('url(    ', size)}",
        "plain text of brackets": f"<plaintext>{filled('<', size)}",
    }
