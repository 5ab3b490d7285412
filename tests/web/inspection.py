"""What a page asks of a browser, read as a browser reads it: the policy forbids it silently, the tests say it aloud."""

from __future__ import annotations

from html.parser import HTMLParser

from mailkeep_web.security import PAGE_HEADERS
from web.site import Page

LOADS = {"src", "action", "formaction", "poster", "data", "background", "srcset"}


class Inspection(HTMLParser):
    """Collects what no page of ours may have: inline script or style, and anything loaded from elsewhere."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"style", "base", "object", "embed"} or (tag == "script" and "src" not in dict(attrs)):
            self.faults.append(f"<{tag}>")
        for name, value in attrs:
            if name == "style" or name.startswith(("on", "hx-on")) or (value or "").strip().startswith("javascript:"):
                self.faults.append(f"<{tag} {name}={value}>")
            loads = name in LOADS or (name == "href" and tag != "a")
            if loads and not is_local(value or ""):
                self.faults.append(f"<{tag} {name}={value}>")


def is_local(url: str) -> bool:
    return url.startswith("/") and not url.startswith("//")


def assert_is_a_page(page: Page) -> None:
    for name, value in PAGE_HEADERS.items():
        assert page.headers[name] == value
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert Inspection(page.text).faults == []
