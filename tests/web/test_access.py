"""Who gets in, from where, and with which cookie."""

from __future__ import annotations

import io
import itertools
import re
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
import pytest

from mailkeep_web.app import PAGES
from mailkeep_web.routing import AdminRoute
from web.site import PASSWORD, Visitor, open_site, plain_mail, site_settings, visitor_of

FROM_ELSEWHERE: tuple[dict[str, str], ...] = (
    {},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
)
POSTS = (
    "/register",
    "/login",
    "/logout",
    "/addresses",
    "/addresses/{address}/label",
    "/addresses/{address}/activate",
    "/addresses/{address}/deactivate",
    "/addresses/{address}/delete",
    "/inbox/selected",
    "/messages/{message}/unread",
    "/messages/{message}/delete",
    "/admin/login",
    "/billing/checkout",
    "/billing/portal",
    "/settings/password",
    "/settings/sessions/{session}/end",
    "/settings/sessions/end-others",
    "/settings/delete",
    "/tokens",
    "/tokens/{token}/rotate",
    "/tokens/{token}/revoke",
)
MEMBER_PAGES = (
    "/inbox",
    "/inbox/rows",
    "/inbox/events",
    "/addresses",
    "/messages/0192",
    "/messages/0192/source",
    "/settings",
)


def test_attack_090_every_form_is_tried() -> None:
    forms = {
        route.path
        for page in PAGES
        for route in page.routes
        if route.method not in ("GET", "HEAD") and not isinstance(route, AdminRoute)
    }
    tried = {re.sub(r"\{(\w+)\}", r"{\1_id}", path) for path in POSTS}
    assert forms == tried


async def test_attack_090_a_form_from_elsewhere_changes_nothing(ada: Visitor) -> None:
    message = await ada.receive(plain_mail("Stays"))
    address = await ada.address()
    session_id = (await ada.actor()).session_id
    ids = {"address": address.id, "message": message.id, "session": session_id, "token": "0123456789abcdef"}
    for path, headers in itertools.product(POSTS, FROM_ELSEWHERE):
        page = await ada.post(path.format(**ids), {"label": "taken"}, headers=headers)
        assert page.status == 403, (path, headers)
        assert "That is not allowed" in page.text
    assert await ada.address() == address
    assert (await ada.get(f"/messages/{message.id}")).status == 200


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "same-origin"}, None], ids=["sec-fetch-site", "origin"])
async def test_a_form_of_ours_is_taken(ada: Visitor, headers: dict[str, str] | None) -> None:
    address = await ada.address()
    options = {} if headers is None else {"headers": headers}
    page = await ada.post(f"/addresses/{address.id}/label", {"label": "Billing"}, **options)
    assert (page.status, page.location) == (303, "/addresses?done=labelled")
    assert (await ada.address()).label == "Billing"


async def test_with_a_public_url_only_that_origin_is_ours(tmp_path: Path) -> None:
    settings = site_settings(tmp_path, http={"public_url": "https://mail.example.org"})
    async with open_site(settings) as site, visitor_of(site) as visitor:
        form = {"email": "ada@example.org", "password": PASSWORD}
        assert (await visitor.post("/register", form)).status == 403
        origin = {"Origin": "https://mail.example.org"}
        assert (await visitor.post("/register", form, headers=origin)).status == 303
        page = await visitor.post("/login", form, headers=origin)
    assert page.status == 303
    name, _, rest = page.set_cookie.partition("=")
    assert name == "__Host-mailkeep"
    assert {"HttpOnly", "Secure", "SameSite=Lax", "Path=/"} <= set(rest.split("; "))
    assert "Domain" not in rest
    assert page.headers["Strict-Transport-Security"]


async def test_on_loopback_the_cookie_works_without_https(stranger: Visitor) -> None:
    form = {"email": "ada@example.org", "password": PASSWORD}
    assert not (await stranger.post("/register", form)).set_cookie
    page = await stranger.post("/login", form)
    name, _, rest = page.set_cookie.partition("=")
    attributes = set(rest.split("; "))
    assert name == "mailkeep"
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= attributes
    assert "Secure" not in attributes


async def test_strangers_are_led_to_the_login_and_back(stranger: Visitor) -> None:
    for path in MEMBER_PAGES:
        page = await stranger.get(f"{path}?tab=text")
        assert (page.status, page.headers["Cache-Control"]) == (303, "no-store")
        assert page.location == f"/login?{urlencode({'next': f'{path}?tab=text'})}"


async def test_parts_of_pages_send_the_whole_page_to_the_login(stranger: Visitor) -> None:
    page = await stranger.get("/inbox/rows", headers={"HX-Request": "true"})
    assert (page.status, page.headers["HX-Redirect"], page.body) == (401, "/login", b"")
    assert (await stranger.get("/inbox/events", headers={"Accept": "text/event-stream"})).status == 401


async def test_login_goes_on_to_where_the_visitor_wanted(ada: Visitor, stranger: Visitor) -> None:
    message = await ada.receive(plain_mail("Wanted"))
    wanted = f"/messages/{message.id}"
    assert (await stranger.get(f"/login?next={wanted}")).value_of("next") == wanted
    form = {"email": "ada@example.org", "password": PASSWORD, "next": wanted}
    assert (await stranger.post("/login", form)).location == wanted
    assert (await stranger.get(f"/login?next={wanted}")).location == wanted
    assert (await stranger.get("/")).location == "/inbox"


@pytest.mark.usefixtures("ada")
@pytest.mark.parametrize("wanted", ["//evil.example", "/\\evil.example", "https:evil.example", "javascript:alert(1)"])
async def test_attack_085_login_never_leads_away(stranger: Visitor, wanted: str) -> None:
    form = {"email": "ada@example.org", "password": PASSWORD, "next": wanted}
    assert (await stranger.post("/login", form)).location == "/inbox"


@pytest.mark.usefixtures("ada")
async def test_a_wrong_password_and_an_unknown_address_look_the_same(stranger: Visitor) -> None:
    wrong = await stranger.post("/login", {"email": "ada@example.org", "password": "not her password"})
    unknown = await stranger.post("/login", {"email": "eve@example.org", "password": "not her password"})
    assert wrong.status == unknown.status == 401
    assert wrong.text.replace("ada@", "eve@") == unknown.text
    assert wrong.value_of("email") == "ada@example.org"
    assert "not her password" not in wrong.text


async def test_attack_092_the_log_in_page_says_when_it_is_enough(stranger: Visitor) -> None:
    form = {"email": "eve@example.org", "password": "not her password"}
    assert [(await stranger.post("/login", form)).status for _ in range(5)] == [401] * 5
    page = await stranger.post("/login", form)
    assert (page.status, page.headers["Retry-After"]) == (429, "1")
    assert "Too many attempts" in page.text
    page = await stranger.post("/login", {**form, "password": "x" * 1_025})
    assert (page.status, page.error_of("password")) == (422, "No password is that long.")


async def test_attack_092_the_registration_page_says_when_it_is_enough(tmp_path: Path) -> None:
    settings = site_settings(tmp_path, auth={"registrations_per_hour": 1})
    async with open_site(settings) as site, visitor_of(site) as visitor:
        form = {"email": "eve@example.org", "password": PASSWORD}
        assert (await visitor.post("/register", form)).status == 303
        page = await visitor.post("/register", form)
        assert (page.status, "Retry-After" in page.headers) == (429, True)
        assert "Too many accounts" in page.text


async def test_attack_089_logged_out_is_logged_out(ada: Visitor) -> None:
    token = ada.token
    page = await ada.post("/logout")
    assert page.location == "/login?done=logged-out"
    assert not list(ada.client.cookie_jar)
    page = await ada.get("/inbox", headers={"Cookie": f"mailkeep={token}"})
    assert page.status == 303


@pytest.mark.parametrize("value", ["", "x", "a.b.c", "x" * 5_000, "mk_1_2"])
async def test_attack_074_a_cookie_that_is_no_session_is_nobody(stranger: Visitor, value: str) -> None:
    page = await stranger.get("/inbox", headers={"Cookie": f"mailkeep={value}"})
    assert page.status == 303
    assert "Max-Age=0" in page.set_cookie


async def test_attack_061_another_customers_mail_is_not_there(ada: Visitor, bob: Visitor) -> None:
    message = await ada.receive(plain_mail("Private"))
    address = await ada.address()
    here = f"/messages/{message.id}"
    for path in (here, f"{here}/html", f"{here}/html.txt", f"{here}/source", f"{here}/attachments/{message.id}"):
        assert (await bob.get(path)).status == 404, path
    assert (await bob.get(f"/inbox?address={address.id}")).status == 404
    for path in (f"{here}/delete", f"{here}/unread", f"/addresses/{address.id}/delete"):
        assert (await bob.post(path)).status == 404, path
    assert (await ada.get(here)).status == 200


async def test_registration_can_be_closed(tmp_path: Path) -> None:
    async with open_site(site_settings(tmp_path, auth={"registration": "closed"})) as site, visitor_of(site) as visitor:
        assert "Registration is closed" in (await visitor.get("/register")).text
        assert 'href="/register"' not in (await visitor.get("/")).text
        form = {"email": "ada@example.org", "password": PASSWORD}
        assert (await visitor.post("/register", form)).status == 403
        assert (await visitor.post("/login", form)).status == 401


async def test_a_form_has_to_be_a_form(stranger: Visitor) -> None:
    origin = {"Origin": stranger.world.url}
    url = f"{stranger.world.url}/login"
    typed = {**origin, "Content-Type": "application/x-www-form-urlencoded"}
    async with stranger.client.post(url, data=io.BytesIO(b"email=" + b"a" * 2_000_000), headers=typed) as answer:
        assert (answer.status, answer.headers["Content-Type"]) == (413, "text/html; charset=utf-8")
    files = aiohttp.FormData({"email": "a"}, default_to_multipart=True)
    async with stranger.client.post(url, data=files, headers=origin) as answer:
        assert answer.status == 415
    many = {f"field{number}": "x" for number in range(100)}
    assert (await stranger.post("/login", many)).status == 400
    for body in (b"email=%ff", b"email=\xff"):
        async with stranger.client.post(url, data=body, headers=typed) as answer:
            assert answer.status == 400
