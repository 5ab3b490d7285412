"""Profile, password and sessions."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mailkeep.domain.account import Role
from mailkeep.domain.audit import Origin
from mailkeep.domain.clock import utc_now
from mailkeep_web.devices import device
from mailkeep_web.words import ago
from web.site import PASSWORD, Visitor, colleague_of

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile/15E148 Safari/604.1"
EDGE = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0 Safari/537.36 Edg/128.0"


async def log_in_from(ada: Visitor, user_agent: str) -> str:
    """The id of another session of hers."""
    user = await ada.world.core.accounts.user(await ada.actor())
    origin = Origin(client_ip="198.51.100.7", user_agent=user_agent)
    return (await ada.world.core.sessions.open(user, origin=origin)).id


async def test_the_profile_says_who_one_is(ada: Visitor) -> None:
    page = await ada.get("/settings")
    assert page.status == 200
    for text in ("ada@example.org", "Owner: everything", "Free", (await ada.actor()).account_id or "?"):
        assert text in page.text


async def test_the_password_is_changed_and_other_sessions_end(ada: Visitor) -> None:
    await log_in_from(ada, FIREFOX)
    page = await ada.post("/settings/password", {"current": PASSWORD, "new": " a stone skips the lake "})
    assert (page.status, page.location) == (303, "/settings?done=password")
    assert "Your password is changed" in (await ada.get(page.location)).text
    assert "Firefox" not in (await ada.get("/settings/sessions")).text
    for password, status in ((PASSWORD, 401), ("a stone skips the lake", 401), (" a stone skips the lake ", 303)):
        assert (await ada.post("/login", {"email": "ada@example.org", "password": password})).status == status


@pytest.mark.parametrize(
    ("form", "field", "text"),
    [
        ({"current": "not the one", "new": "a stone skips the lake"}, "current", "This is not your current password."),
        ({"current": PASSWORD, "new": "short"}, "new", "Use at least 12 characters"),
        ({"current": PASSWORD, "new": "password1234"}, "new", "none of the well-known passwords"),
    ],
)
async def test_what_is_wrong_with_a_password_stands_beside_it(
    ada: Visitor, form: dict[str, str], field: str, text: str
) -> None:
    page = await ada.post("/settings/password", form)
    assert page.status == 422
    assert text in page.error_of(field)
    assert not any(value in page.text for value in form.values()), "a password is never written into a page"


async def test_attack_092_guessing_the_current_password_is_slowed(ada: Visitor) -> None:
    form = {"current": "not the one", "new": "a stone skips the lake"}
    assert [(await ada.post("/settings/password", form)).status for _ in range(5)] == [422] * 5
    page = await ada.post("/settings/password", form)
    assert (page.status, page.headers["Retry-After"]) == (429, "1")
    assert "Too many attempts" in page.text


async def test_sessions_are_listed_and_one_is_ended(ada: Visitor) -> None:
    ended, kept = await log_in_from(ada, FIREFOX), await log_in_from(ada, SAFARI)
    page = await ada.get("/settings/sessions")
    for text in ("Firefox on Linux", "Safari on iPhone", "198.51.100.7", "just now", "This one"):
        assert text in page.text
    own = (await ada.actor()).session_id
    assert f"/settings/sessions/{own}/end" not in page.text, "one's own is ended by logging out"
    page = await ada.post(f"/settings/sessions/{ended}/end")
    page = await ada.get(page.location)
    assert "The session is over" in page.text
    assert f"/settings/sessions/{ended}/end" not in page.text
    assert f"/settings/sessions/{kept}/end" in page.text
    assert (await ada.post(f"/settings/sessions/{ended}/end")).status == 404
    page = await ada.post("/settings/sessions/end-others")
    page = await ada.get(page.location)
    assert "This one" in page.text
    assert "Safari" not in page.text


async def test_another_customers_session_is_not_there(ada: Visitor, bob: Visitor) -> None:
    session = await log_in_from(ada, FIREFOX)
    assert (await bob.post(f"/settings/sessions/{session}/end")).status == 404
    assert "Firefox on Linux" in (await ada.get("/settings/sessions")).text


async def test_every_role_has_a_profile_and_sessions(ada: Visitor) -> None:
    for role in (Role.MEMBER, Role.VIEWER):
        async with colleague_of(ada, role) as colleague:
            assert f"{role.value}@example.org" in (await colleague.get("/settings")).text
            page = await colleague.get("/settings/sessions")
            assert "This one" in page.text
            assert page.text.count('class="title"') == 1, "nobody sees a colleague's sessions"


async def test_a_cursor_that_is_none_is_refused(ada: Visitor) -> None:
    assert (await ada.get("/settings/sessions?before=%27")).status == 400


@pytest.mark.parametrize(
    ("user_agent", "shown"),
    [
        (FIREFOX, "Firefox on Linux"),
        (SAFARI, "Safari on iPhone"),
        (EDGE, "Edge on Windows"),
        ("curl/8.5.0", "curl"),
        ("Python/3.11 aiohttp/3.9", "Python program"),
        ("", "Unknown device"),
        ("<b>Firefox/1</b>", "Firefox"),
    ],
)
def test_devices(user_agent: str, shown: str) -> None:
    assert device(user_agent) == shown


def test_ago() -> None:
    now = utc_now()
    assert [ago(now - timedelta(minutes=4)), ago(now)] == ["4 min ago", "just now"]
    assert ago(now - timedelta(days=30)).startswith("on ")
