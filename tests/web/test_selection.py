"""Messages that are selected, or all that the list finds: marked and deleted by one form."""

from __future__ import annotations

import re

import pytest

from mailkeep.domain.audit import AuditQuery
from mailkeep.domain.message import MessageQuery, MessageSummary
from web.inspection import assert_is_a_page
from web.site import Page, Visitor, html_mail, plain_mail
from web.test_search import subjects


def unread(page: Page) -> int:
    return page.text.count('class="row unread"')


async def receive_all(visitor: Visitor, count: int) -> list[str]:
    """Ids, the oldest first; every second one says fizz."""
    return [
        (await visitor.receive(plain_mail(f"Number {number}", "fizz" if number % 2 else "buzz"))).id
        for number in range(count)
    ]


async def stored(visitor: Visitor) -> list[MessageSummary]:
    messages, _ = await visitor.world.core.inbox.list(await visitor.actor(), MessageQuery(limit=200))
    return messages


async def change(visitor: Visitor, action: str, *ids: str, query: str = "", **more: str) -> Page:
    fields = [*(("id", each) for each in ids), ("action", action), *more.items()]
    return await visitor.post(f"/inbox/selected{query}", fields)  # type: ignore[arg-type]  # aiohttp takes pairs too


async def test_what_is_ticked_is_marked_and_deleted(ada: Visitor, bob: Visitor) -> None:
    ids = await receive_all(ada, 5)
    (bobs,) = await receive_all(bob, 1)
    for action, left_unread, notice in (
        ("read", 3, "2 messages are marked as read."),
        ("unread", 5, "2 messages are marked as unread."),
        ("delete", 3, "2 messages are deleted."),
    ):
        answer = await change(ada, action, ids[0], ids[3], bobs, newest="9")
        assert (answer.status, answer.location.partition("?")[0]) == (303, "/inbox")
        page = await ada.get(answer.location)
        assert_is_a_page(page)
        assert notice in page.text
        assert unread(page) == left_unread
    assert subjects(page) == ["Number 4", "Number 2", "Number 1"]
    assert unread(await bob.get("/inbox")) == 1
    assert "No message was selected" in (await ada.get((await change(ada, "delete")).location)).text


async def test_all_that_the_list_finds_is_marked_and_deleted(ada: Visitor) -> None:
    await receive_all(ada, 104)
    newest = await ada.world.core.inbox.latest_seq(await ada.actor())
    late = await ada.receive(plain_mail("Late", "fizz"))
    answer = await change(ada, "delete", query="?q=fizz", newest=str(newest), all="1")
    assert answer.location == "/inbox?q=fizz&done=deleted&count=52"
    assert subjects(await ada.get(answer.location)) == ["Late"]  # it was not in the list yet
    await ada.post("/addresses", {"local_part": "second"})
    await ada.receive(plain_mail("Elsewhere"))
    answer = await change(ada, "read", query=f"?address={late.address_id}", newest="999", all="1")
    assert answer.location == f"/inbox?address={late.address_id}&done=read&count=53"
    everything = await stored(ada)
    assert [message.subject for message in everything if message.read_at is None] == ["Elsewhere"]
    answer = await change(ada, "delete", query="?q=fro:x", newest="999", all="1")
    assert answer.location == "/inbox?q=fro%3Ax"
    assert len(await stored(ada)) == 54


@pytest.mark.parametrize(
    ("action", "ids", "all_found", "stays"),
    [
        ("read", (0,), "", True),
        ("unread", (0,), "", False),
        ("unread", (1,), "", True),
        ("delete", (0, 1), "", False),
        ("delete", (1,), "", True),
        ("delete", (), "1", False),
    ],
)
async def test_the_open_message_stays_open_where_it_can(
    ada: Visitor, action: str, ids: tuple[int, ...], all_found: str, *, stays: bool
) -> None:
    received = await receive_all(ada, 2)
    page = await ada.get(f"/messages/{received[0]}?q=number")
    assert page.value_of("open") == received[0]
    assert 'action="/inbox/selected?q=number"' in page.text
    more = {"all": all_found} if all_found else {}
    chosen = [received[index] for index in ids]
    answer = await change(ada, action, *chosen, query="?q=number", newest="9", open=received[0], **more)
    assert answer.location.startswith(f"/messages/{received[0]}?q=number&" if stays else "/inbox?q=number&")
    assert 'class="note' in (await ada.get(answer.location)).text


async def test_a_script_gets_the_notice_only(ada: Visitor) -> None:
    ids = await receive_all(ada, 2)
    headers = {"Origin": ada.world.url, "HX-Request": "true"}
    page = await ada.post("/inbox/selected", {"id": ids[0], "action": "delete"}, headers=headers)
    assert page.status == 200
    assert_is_a_page(page)
    assert "1 message is deleted." in page.text
    assert "<html" not in page.text


@pytest.mark.parametrize(
    "fields",
    [
        {"action": "burn"},
        {},
        {"action": "delete", "newest": "-1"},
        {"action": "delete", "newest": "9" * 30},
        {"action": "delete", "open": "//evil.example"},
        {"action": "delete", "id": "a/b"},
    ],
)
async def test_attack_080_a_form_that_no_page_has_is_refused(ada: Visitor, fields: dict[str, str]) -> None:
    await receive_all(ada, 1)
    assert (await ada.post("/inbox/selected", {"all": "1", **fields})).status == 400
    assert unread(await ada.get("/inbox")) == 1


@pytest.mark.parametrize("query", ["done=deleted&count=%3Cb%3E", "done=deleted", "done=x&count=1", "count=1"])
async def test_a_notice_says_nothing_that_the_address_says(ada: Visitor, query: str) -> None:
    page = await ada.get(f"/inbox?{query}")
    assert page.status == 200
    assert re.search(r'<div id="notice">\s*</div>', page.text)


async def test_what_was_changed_is_in_the_audit_log(ada: Visitor) -> None:
    ids = await receive_all(ada, 3)
    await change(ada, "read", ids[0], ids[1])
    await change(ada, "delete", query="?q=fizz", newest="9", all="1")
    records, _ = await ada.world.core.audit.list(await ada.actor(), AuditQuery())
    said = {(record.action, record.detail) for record in records}
    assert {("message.update_selected", "messages=2 read"), ("message.delete_found", "messages=1")} <= said


async def test_neighbours_are_those_of_the_list(ada: Visitor) -> None:
    ids = await receive_all(ada, 6)
    page = await ada.get(f"/messages/{ids[3]}?q=fizz")
    assert f'rel="prev" href="/messages/{ids[5]}?q=fizz"' in page.text
    assert f'rel="next" href="/messages/{ids[1]}?q=fizz"' in page.text
    page = await ada.get(f"/messages/{ids[5]}")
    assert 'rel="prev"' not in page.text
    assert f'rel="next" href="/messages/{ids[4]}"' in page.text
    assert 'rel="next" href="/messages' not in (await ada.get(f"/messages/{ids[3]}?q=fro:x")).text


async def test_rows_older_than_the_list_are_added_to_it(ada: Visitor) -> None:
    await receive_all(ada, 104)
    page = await ada.get("/inbox/rows?q=fizz&before=5")
    assert subjects(page) == ["Number 3", "Number 1"]
    assert "before=" not in page.text.partition("<nav")[0]
    assert re.search(r'<nav id="pager"[^>]*hx-swap-oob="true" hidden>', page.text)
    page = await ada.get("/inbox/rows?before=103")
    assert len(subjects(page)) == 50
    assert 'rel="next" href="/inbox?before=53"' in page.text


async def test_a_script_gets_the_message_without_the_list(ada: Visitor) -> None:
    ids = await receive_all(ada, 2)
    page = await ada.get(f"/messages/{ids[0]}", headers={"HX-Request": "true", "HX-Target": "reading"})
    assert_is_a_page(page)
    assert 'id="reading"' in page.text
    assert "<title>Number 0 · Mailkeep</title>" in page.text
    assert 'id="rows"' not in page.text


async def test_attack_054_the_page_to_print_is_as_harmless_as_the_frame(ada: Visitor, bob: Visitor) -> None:
    hostile = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    message = await ada.receive(html_mail(f"<p>Text</p>{hostile}", subject=hostile))
    page = await ada.get(f"/messages/{message.id}/print")
    frame = await ada.get(f"/messages/{message.id}/html")
    assert page.headers["Content-Security-Policy"] == frame.headers["Content-Security-Policy"]
    assert "&lt;script&gt;alert(1)" in page.text
    assert page.text.partition("</dl>")[2].strip().startswith("<p>Text</p>")
    assert "<script" not in page.text
    assert "<img" not in page.text
    assert (await bob.get(f"/messages/{message.id}/print")).status == 404
    plain = await ada.receive(plain_mail("Plain", "a < b\r\n"))
    assert "<pre>a &lt; b" in (await ada.get(f"/messages/{plain.id}/print")).text


async def test_links_of_a_text_say_where_they_lead(ada: Visitor) -> None:
    text = "See https://shop.example/a, https://shop.example/a and http://xn--pypal-4ve.com/\r\n"
    message = await ada.receive(plain_mail("Links", text))
    page = await ada.get(f"/messages/{message.id}")
    assert_is_a_page(page)
    assert "2 links" in page.text
    assert "to <strong><bdi>xn--pypal-4ve.com</bdi></strong>" in page.text
    assert "some letters are of another alphabet" in page.text


async def test_pages_are_sent_in_gzip_and_answers_to_forms_are_not(ada: Visitor) -> None:
    await receive_all(ada, 3)
    page = await ada.get("/inbox", headers={"Accept-Encoding": "gzip"})
    assert page.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in page.headers["Vary"]
    assert len(subjects(page)) == 3
    assert "Content-Encoding" not in (await ada.get("/inbox", headers={"Accept-Encoding": "identity"})).headers
    wrong = {"Origin": ada.world.url, "Accept-Encoding": "gzip"}
    form = await ada.post("/addresses", {"local_part": "a b"}, headers=wrong)
    assert form.status == 422
    assert "Content-Encoding" not in form.headers


async def test_all_of_an_older_page_leaves_what_came_since_a_newer_one_was_shown(ada: Visitor) -> None:
    await receive_all(ada, 4)
    shown = await ada.get("/inbox")
    assert shown.value_of("newest") == "4"
    await ada.receive(plain_mail("Seen by nobody"))
    older = await ada.get("/inbox?before=4")
    await change(ada, "delete", newest=older.value_of("newest"), all="1")
    assert subjects(await ada.get("/inbox")) == ["Seen by nobody", "Number 3"]
