"""Cookies that are not what we gave out, and requests that only bring a cookie along."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
import structlog

from api.test_callers import body_of, path_of
from mailkeep_api.app import ROUTES
from mailkeep_api.routing import PUBLIC
from web.site import PASSWORD, Visitor, plain_mail

AWAY = (
    "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "https:evil.example", "/%0d%0aX: y\r\n",
    "https://evil.example/", "javascript:alert(1)", "data:text/html,x", "/\t/evil.example", "/\r\nSet-Cookie: a=b",
    " //evil.example", "\x00/", "/" + "a" * 5_000, "@evil.example", "http:///evil.example",
)  # fmt: skip


@pytest.mark.parametrize(
    "cookies",
    [
        "; ".join(f"c{number}=x" for number in range(10_000)),
        "mailkeep=" + "x" * 8_192,
        "mailkeep=" + "x" * 8_000,
        "mailkeep=a; mailkeep=b",
        "; ".join(["mailkeep=x"] * 500),
        "mailkeep",
        "=mailkeep",
        'mailkeep="',
        "mailkeep=\xff\xfe",
        "$Version=1; mailkeep=x; $Path=/",
        "mailkeep=a=b=c",
        ";;;;",
    ],
    ids=lambda cookies: f"{cookies[:20]!r}, {len(cookies)}",
)
async def test_attack_074_cookies_that_are_none_of_ours(stranger: Visitor, cookies: str) -> None:
    with structlog.testing.capture_logs() as events:
        page = await stranger.get("/inbox", headers={"Cookie": cookies})
        answer = await stranger.get("/api/v1/account", headers={"Cookie": cookies})
    assert page.status in (303, 400, 431), page
    assert answer.status in (400, 401, 431), answer
    assert len(events) <= 2
    assert not any(event["log_level"] in ("error", "critical") for event in events)


async def test_attack_074_two_session_cookies_are_none(ada: Visitor, stranger: Visitor) -> None:
    """A good one and another: whoever can slip one in (from a sibling host, over http) does not choose."""
    token = ada.token
    for cookies in (
        f"mailkeep={token}; mailkeep=x",
        f"mailkeep=x; mailkeep={token}",
        f"mailkeep={token};mailkeep={token}",
    ):
        page = await stranger.get("/inbox", headers={"Cookie": cookies})
        assert (page.status, page.location) == (303, "/login")
    assert (await stranger.get("/inbox", headers={"Cookie": f"other=mailkeep; mailkeep={token}; x=y"})).status == 200


async def test_attack_090_a_cookie_opens_nothing_of_the_api(ada: Visitor) -> None:
    """What browsers send along by themselves is no credential there: a page elsewhere cannot use it."""
    await ada.receive(plain_mail("Stays"))
    for route in ROUTES:
        if route.scope is not PUBLIC:
            body = json.dumps(body_of(route)) if route.body is not None else None
            for media_type in ("application/json", "text/plain"):
                url = f"{ada.world.url}{path_of(route)}"
                headers = {"Origin": "https://evil.example", "Content-Type": media_type}
                async with ada.client.request(route.method, url, data=body, headers=headers) as answer:
                    assert answer.status == 401, route.path
    assert "Stays" in (await ada.get("/inbox")).text


async def test_attack_090_json_as_text_is_refused(ada: Visitor) -> None:
    """With which a form of another page can send JSON; with the credentials it would not have."""
    headers = {"Authorization": f"Bearer {ada.token}", "Content-Type": "text/plain"}
    url = f"{ada.world.url}/api/v1/addresses"
    async with ada.client.post(url, data=b'{"local_part": "taken"}', headers=headers) as answer:
        assert answer.status == 415
    assert "taken" not in (await ada.get("/addresses")).text


async def test_attack_090_forms_in_json_and_forms_by_get_change_nothing(ada: Visitor) -> None:
    address = await ada.address()
    origin = {"Origin": ada.world.url}
    url = f"{ada.world.url}/addresses/{address.id}/label"
    async with ada.client.post(
        url, data=b'{"label": "taken"}', headers={**origin, "Content-Type": "text/plain"}
    ) as answer:
        assert answer.status == 415
    for path in ("/logout", f"/addresses/{address.id}/delete", f"/addresses/{address.id}/label?label=taken"):
        assert (await ada.get(path)).status in (404, 405), path
    assert await ada.address() == address


@pytest.mark.parametrize("wanted", AWAY, ids=lambda wanted: repr(wanted[:24]))
async def test_attack_085_next_never_leads_away(ada: Visitor, stranger: Visitor, wanted: str) -> None:
    """Neither for whoever is logged in already, nor out of the page's form, nor from a form of one's own."""
    path = f"/login?next={quote(wanted, safe='')}"
    for page in (
        await ada.get(path),
        await stranger.get(path),
        await stranger.post("/login", {"email": "ada@example.org", "password": PASSWORD, "next": wanted}),
    ):
        if page.status == 200:
            assert page.value_of("next") == "/inbox"
        else:
            assert page.status in (303, 400), page
            assert page.headers.get("Location", "/inbox") == "/inbox"
        assert "X" not in page.headers
        assert "evil" not in page.text
