import pytest

from mailkeep_web.next_path import login_url, safe_next


@pytest.mark.parametrize("path", ["/", "/inbox", "/messages/0192?tab=text&address=a%20b", "/a//b", "/%0d%0aX"])
def test_a_path_of_ours_is_kept(path: str) -> None:
    assert safe_next(path) == path


@pytest.mark.parametrize(
    "wanted",
    [
        None,
        "",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/a\\b",
        "https:evil.example",
        "https://evil.example/",
        "javascript:alert(1)",
        "inbox",
        "/\t/evil.example",
        "/\r\nSet-Cookie: a=b",
        "/a b",
        "/é",
        "/" + "a" * 2048,
    ],
)
def test_attack_085_anything_else_leads_to_the_inbox(wanted: str | None) -> None:
    assert safe_next(wanted) == "/inbox"


def test_the_login_page_is_told_where_to_go_on() -> None:
    assert login_url("/messages/1?tab=text") == "/login?next=%2Fmessages%2F1%3Ftab%3Dtext"
    assert login_url("//evil.example") == "/login"
