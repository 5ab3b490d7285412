"""Every page over HTTP: what it shows, what it allows a browser, what it says when something is wrong."""

from __future__ import annotations

import re

import pytest

from web.inspection import assert_is_a_page
from web.site import PASSWORD, Visitor, html_mail, mail_with_file, plain_mail

PUBLIC = ("/", "/login", "/register", "/nothing/here")
MEMBER = ("/inbox", "/inbox/rows", "/addresses", "/nothing/here")
TABS = ("html", "text", "structure", "headers", "attachments", "source", "delivery", "unknown")


async def test_attack_099_public_pages_allow_nothing_inline_or_foreign(stranger: Visitor) -> None:
    for path in PUBLIC:
        page = await stranger.get(path)
        assert page.status == (404 if path == "/nothing/here" else 200)
        assert_is_a_page(page)


async def test_attack_099_member_pages_allow_nothing_inline_or_foreign(ada: Visitor) -> None:
    await ada.receive(plain_mail("A subject"))
    for path in MEMBER:
        page = await ada.get(path)
        assert_is_a_page(page)


async def test_attack_099_every_tab_of_hostile_mail_is_a_page(ada: Visitor) -> None:
    hostile = '"><script>alert(1)</script><img src=x onerror=alert(1) style=color:red>'
    message = await ada.receive(html_mail(hostile, subject=hostile))
    for tab in TABS:
        page = await ada.get(f"/messages/{message.id}?tab={tab}")
        assert page.status == 200
        assert_is_a_page(page)


async def test_the_inbox_of_a_new_account_says_what_to_do(ada: Visitor) -> None:
    page = await ada.get("/inbox")
    address = (await ada.address()).address
    assert f"<code>{address}</code>" in page.text
    assert f"--to {address}" in page.text
    assert "swaks --server 127.0.0.1:" in page.text
    assert "ada@example.org" in page.text


async def test_the_inbox_lists_newest_first_and_filters_by_address(ada: Visitor) -> None:
    first = await ada.receive(plain_mail("First"))
    await ada.post("/addresses", {"local_part": "second", "label": "Second one"})
    second = await ada.receive(plain_mail("Second"), tag="ci-42")
    page = await ada.get("/inbox")
    assert re.findall(r'id="row-([^"]+)"', page.text) == [second.id, first.id]
    assert "second+ci-42" in page.text
    filtered = await ada.get(f"/inbox?address={first.address_id}")
    assert re.findall(r'id="row-([^"]+)"', filtered.text) == [first.id]
    assert f'href="/messages/{first.id}?address={first.address_id}"' in filtered.text


async def test_the_list_goes_on_to_older_mail(ada: Visitor) -> None:
    for number in range(52):
        await ada.receive(plain_mail(f"Number {number}"))
    page = await ada.get("/inbox")
    assert page.text.count("data-seq=") == 50
    (older,) = re.findall(r'href="(/inbox\?before=\d+)"', page.text)
    last = await ada.get(older)
    assert re.search(r'rel="next" href="[^"]*" hidden', last.text)
    assert last.text.count("data-seq=") == 2
    assert "data-events" not in last.text
    newer = await ada.get("/inbox/rows?after=50")
    assert newer.text.count("data-seq=") == 2
    too_many = await ada.get("/inbox/rows?after=1")
    assert too_many.headers["HX-Retarget"] == "#list-content"
    assert too_many.text.count("data-seq=") == 50


@pytest.mark.parametrize("query", ["before=x", "before=-1", "before=9223372036854775808", "before=%D9%A3"])
async def test_attack_080_a_cursor_that_is_none_is_refused(ada: Visitor, query: str) -> None:
    assert (await ada.get(f"/inbox?{query}")).status == 400


async def test_opening_a_message_reads_it_and_only_opening_does(ada: Visitor) -> None:
    message = await ada.receive(plain_mail("Unread at first"))
    here = f"/messages/{message.id}"
    for headers in ({"Sec-Purpose": "prefetch"}, {"Sec-Fetch-Site": "cross-site"}):
        await ada.get(here, headers=headers)
        assert 'class="row unread"' in (await ada.get("/inbox")).text
    assert "aria-current" in (await ada.get(here)).text
    assert 'class="row unread"' not in (await ada.get("/inbox")).text
    assert (await ada.post(f"{here}/unread")).location == "/inbox"
    assert 'class="row unread"' in (await ada.get("/inbox")).text


async def test_a_message_is_deleted(ada: Visitor) -> None:
    message = await ada.receive(plain_mail("Goes away"))
    page = await ada.post(f"/messages/{message.id}/delete")
    assert page.location == "/inbox?done=message-deleted"
    assert "The message is deleted" in (await ada.get(page.location)).text
    assert (await ada.get(f"/messages/{message.id}")).status == 404


async def test_the_tabs_show_the_message(ada: Visitor) -> None:
    message = await ada.receive(plain_mail("Confirm", "Go to https://shop.example/confirm?a=1&b=2.\r\n<script>\r\n"))
    here = f"/messages/{message.id}"
    text = (await ada.get(here)).text
    assert 'href="https://shop.example/confirm?a=1&amp;b=2" target="_blank" rel="noopener noreferrer nofollow"' in text
    assert "&lt;script&gt;" in text
    assert "Subject</bdi></th><td><bdi>Confirm" in (await ada.get(f"{here}?tab=headers")).text
    assert "To: you@mail.test" in (await ada.get(f"{here}?tab=source")).text
    delivery = (await ada.get(f"{here}?tab=delivery")).text
    assert "sender@example.org" in delivery
    assert "192.0.2.7" in delivery


async def test_a_long_source_is_shown_in_part_and_downloaded_whole(ada: Visitor) -> None:
    mail = plain_mail("Long", "0123456789abcde\n" * 30_000)
    message = await ada.receive(mail)
    page = await ada.get(f"/messages/{message.id}?tab=source")
    assert "This is the beginning" in page.text
    assert len(page.body) < 300_000
    download = await ada.get(f"/messages/{message.id}/source")
    assert download.body == mail
    assert download.headers["Content-Disposition"].startswith("attachment")


async def test_the_frame_holds_only_what_the_sanitiser_left(ada: Visitor) -> None:
    mail = html_mail(
        '<p>Hi <a href="https://shop.example/">shop</a></p><script>alert(1)</script><img src="https://t.example/p.gif">'
    )
    message = await ada.receive(mail)
    page = await ada.get(f"/messages/{message.id}")
    assert f'<iframe src="/messages/{message.id}/html"' in page.text
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in page.text
    assert "Removed to make it safe" in page.text
    frame = await ada.get(f"/messages/{message.id}/html")
    policy = frame.headers["Content-Security-Policy"]
    assert policy.startswith(
        "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'sha256-"
    )
    assert "unsafe" not in policy
    assert 'rel="noopener noreferrer nofollow"' in frame.text
    assert "script" not in frame.text
    assert "t.example" not in frame.text
    received = await ada.get(f"/messages/{message.id}/html.txt")
    assert received.headers["Content-Type"].startswith("text/plain")
    assert received.headers["Content-Security-Policy"].startswith("sandbox")
    assert "<script>alert(1)</script>" in received.text


async def test_a_message_without_html_has_no_frame(ada: Visitor) -> None:
    message = await ada.receive(plain_mail("Plain"))
    assert (await ada.get(f"/messages/{message.id}/html")).status == 404
    assert (await ada.get(f"/messages/{message.id}/html.txt")).status == 404
    assert "This message has no HTML" in (await ada.get(f"/messages/{message.id}?tab=html")).text


async def test_attack_057_attachments_are_saved_and_never_shown(ada: Visitor) -> None:
    page_sent = "<!doctype html><html><head><title>x</title></head><body><script>alert(1)</script></body></html>"
    message = await ada.receive(mail_with_file("page.html", "text/html", page_sent))
    page = await ada.get(f"/messages/{message.id}?tab=attachments")
    assert "page.html" in page.text
    (link,) = re.findall(r'href="(/messages/[^"]+/attachments/[^"]+)"', page.text)
    download = await ada.get(link)
    assert download.body.strip().decode() == page_sent
    assert download.headers["Content-Type"] == "application/octet-stream"
    assert download.headers["Content-Disposition"].startswith('attachment; filename="page.html"')
    assert download.headers["X-Content-Type-Options"] == "nosniff"
    assert download.headers["Content-Security-Policy"].startswith("sandbox")


async def test_addresses_are_made_named_switched_and_deleted(ada: Visitor) -> None:
    assert (await ada.post("/addresses", {"local_part": "Billing", "label": " Invoices "})).status == 303
    address = await ada.address()
    assert (address.address, address.label) == ("billing@mail.test", "Invoices")
    here = f"/addresses/{address.id}"
    for action, notice in (
        ("deactivate", "is refused from now on"),
        ("activate", "receives mail again"),
        ("delete", "The address is deleted"),
    ):
        page = await ada.post(f"{here}/{action}")
        assert page.status == 303
        assert notice in (await ada.get(page.location)).text
    assert (await ada.address()).address != "billing@mail.test"
    assert (await ada.post(f"{here}/activate")).status == 404


@pytest.mark.parametrize("local_part", ["a b", "a@b", "a+b", "a..b", "<script>", "x" * 65])
async def test_a_wrong_name_is_kept_and_explained(ada: Visitor, local_part: str) -> None:
    page = await ada.post("/addresses", {"local_part": local_part, "label": "Kept"})
    assert page.status == 422
    assert page.value_of("local_part") == local_part
    assert page.error_of("local_part").startswith("Use letters")
    assert 'value="Kept"' in page.text


async def test_a_name_of_the_domain_is_explained(ada: Visitor) -> None:
    page = await ada.post("/addresses", {"local_part": "Postmaster"})
    assert page.status == 422
    assert page.error_of("local_part").startswith("This name is kept")


async def test_a_taken_name_is_explained(ada: Visitor, bob: Visitor) -> None:
    await ada.post("/addresses", {"local_part": "wanted"})
    page = await bob.post("/addresses", {"local_part": "wanted"})
    assert page.status == 422
    assert page.error_of("local_part").startswith("This address exists already")


async def test_the_plans_limit_is_explained(ada: Visitor) -> None:
    for _ in range(2):
        assert (await ada.post("/addresses")).status == 303
    page = await ada.post("/addresses", {"label": "Kept"})
    assert page.status == 422
    assert "Your plan allows no more addresses" in page.text
    assert "3 of 3 on your plan" in page.text


async def test_a_label_that_cannot_be_is_kept_and_explained(ada: Visitor) -> None:
    address = await ada.address()
    page = await ada.post(f"/addresses/{address.id}/label", {"label": "x" * 1_000})
    assert page.status == 422
    assert page.error_of(f"label-{address.id}").startswith("This label is too long")


@pytest.mark.usefixtures("ada")
@pytest.mark.parametrize(
    ("form", "field", "error"),
    [
        ({"email": "no address", "password": PASSWORD}, "email", "This is not an email address"),
        ({"email": "", "password": PASSWORD}, "email", "This is not an email address"),
        ({"email": "eve@example.org", "password": "short"}, "password", "Use at least 12 characters"),
        ({"email": "eve@example.org"}, "password", "Use at least 12 characters"),
    ],
)
async def test_registration_says_what_is_wrong_and_keeps_the_rest(
    stranger: Visitor, form: dict[str, str], field: str, error: str
) -> None:
    page = await stranger.post("/register", form)
    assert page.status == 422
    assert page.error_of(field).startswith(error)
    assert page.value_of("email") == form["email"]
    assert page.value_of("password") == ""
    assert PASSWORD not in page.text
    assert not page.set_cookie


async def test_registration_does_not_tell_who_has_an_account(ada: Visitor, stranger: Visitor) -> None:
    addresses = await ada.address()
    for email in ("eve@example.org", "ada@example.org"):
        page = await stranger.post("/register", {"email": email, "password": "another river bends once"})
        assert (page.status, page.location, page.body) == (303, "/login?done=registered", b"")
    assert "You can log in now" in (await stranger.get(page.location)).text
    form = {"email": "ada@example.org", "password": "another river bends once"}
    assert (await stranger.post("/login", form)).status == 401
    assert (await stranger.post("/login", {**form, "password": PASSWORD})).location == "/inbox"
    assert await stranger.address() == addresses


async def test_errors_are_pages_here_and_problems_in_the_api(ada: Visitor) -> None:
    page = await ada.get("/messages/no-such-message")
    assert (page.status, page.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert "There is nothing here" in page.text
    problem = await ada.get("/api/v1/nothing")
    assert (problem.status, problem.headers["Content-Type"].partition(";")[0]) == (404, "application/problem+json")
    assert (await ada.post("/inbox")).status == 405
    assert (await ada.get("/messages/%2e%2e%2f")).status == 404


async def test_static_files_are_cached_by_their_content(stranger: Visitor) -> None:
    page = await stranger.get("/")
    (sheet,) = re.findall(r'href="(/static/mailkeep.css\?v=[0-9a-f]+)"', page.text)
    answer = await stranger.get(sheet)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/css; charset=utf-8")
    assert "immutable" in answer.headers["Cache-Control"]
    assert (await stranger.get(sheet, headers={"If-None-Match": answer.headers["ETag"]})).status == 304
    assert "immutable" not in (await stranger.get("/static/mailkeep.css?v=old")).headers["Cache-Control"]
    for name in ("nothing.css", "..%2fapp.py", "%2e%2e/app.py", ".", ""):
        assert (await stranger.get(f"/static/{name}")).status == 404
