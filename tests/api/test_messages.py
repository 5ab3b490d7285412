"""/messages over HTTP, with mail that came in through ingest."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest

from api.world import Answer, Customer, World

PATH = "/api/v1/messages"

PLAIN = b"From: Sue <sue@example.org>\r\nTo: you@mail.test\r\nSubject: plain\r\n\r\n.dots\r\nand \x00 \xff bytes\r\n"

RICH = b"""\
From: "Sue =?utf-8?q?M=C3=BCller?=" <sue@example.org>
To: You <you@mail.test>, other@example.org
Cc: third@example.org
Reply-To: reply@example.org
Date: Tue, 24 Nov 2026 10:30:00 +0100
Message-ID: <one@example.org>
Subject: =?utf-8?b?4piD?= rich
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=m

--m
Content-Type: multipart/alternative; boundary=a

--a
Content-Type: text/plain; charset=utf-8

some text
--a
Content-Type: text/html; charset=utf-8

<p onclick="evil()">some <b>bold</b> <script>alert(1)</script><img src="https://t.example/x.gif">text</p>
--a--
--m
Content-Type: text/html; name="page.html"
Content-Disposition: attachment; filename="../p\xc3\xa4ge.html"

<!doctype html><html><body><script>alert(document.cookie)</script></body></html>
--m--
""".replace(b"\n", b"\r\n")


async def message_of(world: World, customer: Customer, source: bytes) -> tuple[str, Answer]:
    await world.deliver(source, customer)
    path = f"{PATH}/{await world.only_message(customer)}"
    return path, await world.ask("GET", path, customer)


async def test_the_item_and_the_message(world: World, ada: Customer) -> None:
    _, answer = await message_of(world, ada, RICH)
    (item,) = (await world.ask("GET", PATH, ada)).json["items"]
    assert set(item) == {
        *("id", "seq", "address", "tag", "from", "subject", "snippet", "received_at", "size_bytes"),
        *("has_attachments", "read", "expires_at"),
    }
    message = answer.json
    assert {name: message[name] for name in item} == item
    assert item["from"] == {"name": "Sue M\xfcller", "address": "sue@example.org"}
    assert (item["seq"], item["subject"], item["read"], item["has_attachments"]) == (1, "\N{SNOWMAN} rich", False, True)
    assert message["envelope"] == {"mail_from": "sender@example.org", "rcpt_to": [ada.address]}
    assert [box["address"] for box in message["to"]] == ["you@mail.test", "other@example.org"]
    assert message["cc"] == [{"name": "", "address": "third@example.org"}]
    assert message["date"] == "2026-11-24T09:30:00.000000Z"
    assert message["text"].strip() == "some text"
    assert [name for name, _ in message["headers"]][:3] == ["From", "To", "Cc"]
    assert message["transport"]["client_ip"] == "192.0.2.7"
    assert isinstance(message["defects"], list)


async def test_html_is_sanitised_before_anybody_sees_it(world: World, ada: Customer) -> None:
    path, answer = await message_of(world, ada, RICH)
    html = answer.json["html"]
    assert set(html) == {"sanitised", "removed", "links", "truncated"}
    assert html["removed"]

    document = await world.ask("GET", f"{path}/html", ada)
    for text in (html["sanitised"], document.body.decode()):
        assert "text</p>" in text
        assert not any(evil in text for evil in ("script", "onclick", "<img", "t.example"))
    assert document.headers["Content-Type"] == "text/html; charset=utf-8"
    assert document.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"

    raw = await world.ask("GET", f"{path}/html?raw=1", ada)
    assert b"<script>" in raw.body
    assert raw.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert raw.headers["X-Content-Type-Options"] == "nosniff"


async def test_the_source_is_what_was_sent(world: World, ada: Customer) -> None:
    path, _ = await message_of(world, ada, PLAIN)
    source = await world.ask("GET", f"{path}/source", ada)
    assert source.body == PLAIN
    assert source.headers["Content-Type"] == "message/rfc822"
    assert source.headers["Content-Disposition"].startswith("attachment; ")
    head = await world.ask("HEAD", f"{path}/source", ada)
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(len(PLAIN)))


async def test_a_large_source_is_streamed(world: World, ada: Customer) -> None:
    large = PLAIN + b"x" * 5_000_000
    path, _ = await message_of(world, ada, large)
    assert (await world.ask("GET", f"{path}/source", ada)).body == large


@pytest.mark.parametrize("left", [0.0, 0.5])
async def test_a_source_that_is_cut_short_on_the_disk_keeps_nobody_waiting(
    world: World, ada: Customer, left: float
) -> None:
    path, _ = await message_of(world, ada, PLAIN + os.urandom(2_000_000))
    [blob] = world.core.settings.blob_dir.rglob("*.eml.zst")
    os.truncate(blob, int(blob.stat().st_size * left))
    async with asyncio.timeout(10):
        if left:
            with pytest.raises(aiohttp.ClientPayloadError):
                await world.ask("GET", f"{path}/source", ada)
        else:
            assert (await world.ask("GET", f"{path}/source", ada)).is_problem(503, "unavailable")


def open_blobs() -> list[str]:
    """The files of the blob store that this process holds open."""
    targets = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the one that lists them is closed again
            targets.append(str(descriptor.readlink()))
    return [target for target in targets if "/blobs/" in target]


async def test_attack_062_a_client_that_leaves_keeps_no_file_open(world: World, ada: Customer) -> None:
    large = PLAIN + os.urandom(16_000_000)
    path, _ = await message_of(world, ada, large)
    headers = {"Authorization": f"Bearer {ada.token}"}
    for _ in range(5):
        async with world.client.get(f"{world.url}{path}/source", headers=headers) as response:
            assert await response.content.readany()
            assert open_blobs()
            response.close()
    for _ in range(50):
        if not open_blobs():
            break
        await asyncio.sleep(0.1)
    assert open_blobs() == []
    assert (await world.ask("GET", f"{path}/source", ada, headers={"Range": "bytes=0-9"})).body == large


async def test_attack_057_an_attachment_is_saved_and_never_shown(world: World, ada: Customer) -> None:
    path, answer = await message_of(world, ada, RICH)
    (attachment,) = answer.json["attachments"]
    assert set(attachment) == {
        *("id", "filename", "original_filename", "declared_type", "detected_type", "size_bytes", "sha256"),
        *("disposition", "content_id", "section", "inline", "malware"),
    }
    download = await world.ask("GET", f"{path}/attachments/{attachment['id']}", ada)
    assert b"document.cookie" in download.body
    assert len(download.body) == attachment["size_bytes"]
    expected = {
        "Content-Type": "application/octet-stream",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cross-Origin-Resource-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    assert {name: download.headers[name] for name in expected} == expected
    assert download.headers["Content-Disposition"] == (
        "attachment; filename=\"p_ge.html\"; filename*=UTF-8''p%C3%A4ge.html"
    )
    assert (await world.ask("GET", f"{path}/attachments/{answer.json['id']}", ada)).is_problem(404, "not-found")


async def test_attack_061_a_download_needs_its_owner(world: World, ada: Customer, bob: Customer) -> None:
    path, answer = await message_of(world, ada, RICH)
    download = f"{path}/attachments/{answer.json['attachments'][0]['id']}"
    assert (await world.ask("GET", download)).is_problem(401, "not-authenticated")
    assert (await world.ask("GET", download, bob)).is_problem(404, "not-found")
    await world.ask("POST", "/api/v1/auth/logout", ada)
    assert (await world.ask("GET", download, ada)).is_problem(401, "not-authenticated")


async def test_text_and_headers(world: World, ada: Customer) -> None:
    path, answer = await message_of(world, ada, RICH)
    text = await world.ask("GET", f"{path}/text", ada)
    assert text.body.decode() == answer.json["text"]
    assert text.headers["Content-Type"] == "text/plain; charset=utf-8"
    headers = (await world.ask("GET", f"{path}/headers", ada)).json["headers"]
    assert headers == answer.json["headers"]
    assert "Message-ID" in [name for name, _ in headers]


async def test_no_html_is_null_and_404(world: World, ada: Customer) -> None:
    path, answer = await message_of(world, ada, PLAIN)
    assert answer.json["html"] is None
    assert (await world.ask("GET", f"{path}/html", ada)).is_problem(404, "not-found")


async def test_read_and_delete(world: World, ada: Customer) -> None:
    path, answer = await message_of(world, ada, PLAIN)
    assert answer.json["read"] is False
    assert (await world.ask("PATCH", path, ada, json={"read": True})).json["read"] is True
    changed = await world.ask("GET", path, ada)
    assert changed.json["read"] is True
    assert changed.headers["ETag"] != answer.headers["ETag"]
    assert (await world.ask("PATCH", path, ada, json={"read": False})).json["read"] is False
    assert (await world.ask("PATCH", path, ada, json={})).is_problem(422, "invalid-input")
    assert (await world.ask("DELETE", path, ada)).status == 204
    assert (await world.ask("GET", path, ada)).is_problem(404, "not-found")
    assert (await world.ask("GET", f"{path}/source", ada)).is_problem(404, "not-found")


async def test_pages_and_cursors(world: World, ada: Customer, bob: Customer) -> None:
    for number in range(5):
        await world.deliver(b"Subject: %d\r\n\r\n" % number, ada, bob)
    first = await world.ask("GET", f"{PATH}?limit=2", ada)
    assert [item["subject"] for item in first.json["items"]] == ["4", "3"]
    second = await world.ask("GET", first.headers["Link"].split(">")[0][1:], ada)
    assert [item["subject"] for item in second.json["items"]] == ["2", "1"]
    newer = await world.ask("GET", f"{PATH}?after=3", ada)
    assert [item["seq"] for item in newer.json["items"]] == [5, 4]


async def test_of_one_address(world: World, ada: Customer) -> None:
    other = (await world.ask("POST", "/api/v1/addresses", ada, json={"local_part": "other"})).json
    await world.deliver(PLAIN, ada)
    for ours, expected in ((ada.address, 1), (ada.address.upper(), 1), (ada.address_id, 1), (other["address"], 0)):
        answer = await world.ask("GET", PATH, ada, params={"address": ours})
        assert len(answer.json["items"]) == expected, ours
