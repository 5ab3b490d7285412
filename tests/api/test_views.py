"""The views of a message: structure, headers with hops, text, HTML, source, and all attachments in one file."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote
from zipfile import ZipFile

import aiohttp
import pytest
from sqlalchemy import update

from api.trees import BOUNCE, deep
from api.world import Customer, World
from hostile_names import SENDABLE_NAMES, mail_with_hostile_names
from mailkeep.domain.structure import MimePart
from mailkeep.storage import structures
from mailkeep.storage.schema import contents

PATH = "/api/v1/messages"

MAIL = b"""\
Received: from mx.sender.test (mx.sender.test [192.0.2.7])
\tby mx.here.test (Postfix) with ESMTPS id 4XyZ1234abcd for <box@here.test>;
\tTue, 24 Nov 2026 09:30:08 +0000
Received: by web.sender.test (Postfix, from userid 33) id 9F8E7D6C5B;
\tTue, 24 Nov 2026 09:30:10 +0000
From: Ada <ada@sender.test>
Subject: views
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=m

--m
Content-Type: multipart/alternative; boundary=a

--a
Content-Type: text/plain

text
--a
Content-Type: text/html

<p>html</p><script>alert(1)</script>
--a--
--m
Content-Disposition: attachment; filename=a.bin

file
--m--
""".replace(b"\n", b"\r\n")


async def delivered(world: World, customer: Customer, source: bytes = MAIL) -> str:
    await world.deliver(source, customer)
    return f"{PATH}/{await world.only_message(customer)}"


async def set_structure(world: World, tree: MimePart | None) -> None:
    """For every message: the tree that the parser would have found."""
    async with world.core.database.write() as connection:
        await connection.execute(update(contents).values(structure=None if tree is None else structures.written(tree)))


async def views_of(world: World, customer: Customer, path: str) -> list[str]:
    message = (await world.ask("GET", path, customer)).json
    (attachment,) = message["attachments"]
    names = ("text", "html", "html?raw=1", "headers", "structure", "source", "attachments.zip")
    return [*(f"{path}/{name}" for name in names), f"{path}/attachments/{attachment['id']}"]


PLAIN = {"Accept-Encoding": "identity"}


async def test_each_view_has_a_strong_etag_and_is_sent_once(world: World, ada: Customer, bob: Customer) -> None:
    path = await delivered(world, ada)
    etags = []
    for view in await views_of(world, ada, path):
        compressed = await world.ask("GET", view, ada)
        known = await world.ask("GET", view, ada, headers={"If-None-Match": compressed.headers["ETag"]})
        assert (known.status, known.headers["ETag"]) == (304, compressed.headers["ETag"]), view
        first = await world.ask("GET", view, ada, headers=PLAIN)
        again = await world.ask("GET", view, ada, headers={**PLAIN, "If-None-Match": first.headers["ETag"]})
        assert (first.status, again.status, again.body) == (200, 304, b""), view
        assert again.headers["ETag"] == first.headers["ETag"]
        assert again.headers["Content-Security-Policy"] == first.headers["Content-Security-Policy"]
        weak = await world.ask("GET", view, ada, headers={**PLAIN, "If-None-Match": f'"x", W/{first.headers["ETag"]}'})
        other = await world.ask("GET", view, ada, headers={**PLAIN, "If-None-Match": '"x"'})
        head = await world.ask("HEAD", view, ada, headers=PLAIN)
        assert (weak.status, other.body) == (304, first.body)
        assert (head.status, head.body, head.headers["ETag"]) == (200, b"", first.headers["ETag"])
        assert head.headers["Content-Length"] == str(len(first.body))
        etags.append(first.headers["ETag"])
        # Not even an ETag tells a stranger that there is something.
        assert (await world.ask("GET", view, bob, headers={"If-None-Match": "*"})).status == 404
        assert (await world.ask("GET", view, headers={"If-None-Match": "*"})).status == 401
    assert len(set(etags)) == len(etags)
    assert all(re.fullmatch(r'"[0-9a-f]{32}"', etag) for etag in etags)


async def test_attack_099_no_view_is_kept_by_a_cache_or_shown_as_ours(world: World, ada: Customer) -> None:
    path = await delivered(world, ada)
    for view in await views_of(world, ada, path):
        answer = await world.ask("GET", view, ada)
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


async def test_headers_come_with_the_way_that_they_tell(world: World, ada: Customer) -> None:
    path = await delivered(world, ada)
    answer = (await world.ask("GET", f"{path}/headers", ada)).json
    assert [name for name, _ in answer["headers"]][:3] == ["Received", "Received", "From"]
    first, second = answer["hops"]
    assert (first["by"], first["at"], first["delay_s"]) == ("web.sender.test", "2026-11-24T09:30:10.000000Z", None)
    assert (second["name"], second["ip"], second["protocol"]) == ("mx.sender.test", "192.0.2.7", "ESMTPS")
    assert (second["delay_s"], second["clocks_disagree"], second["encrypted"]) == (-2, True, True)
    assert answer["total_s"] == -2


async def test_the_structure(world: World, ada: Customer) -> None:
    path = await delivered(world, ada)
    await set_structure(world, BOUNCE)
    answer = (await world.ask("GET", f"{path}/structure", ada)).json
    root = answer["root"]
    assert (root["section"], root["role"], root["media_type"]) == ("", "container", "multipart/report")
    text, report, message = root["parts"]
    assert text["defects"] == [
        {
            "code": "charset_wrong",
            "text": "Some text is not in the character set that it names; what could not be read is marked.",
        }
    ]
    assert [len(block) for block in report["report"]["blocks"]] == [2, 4, 5]
    assert report["report"]["blocks"][1][1] == ["Action", "failed"]
    assert message["message"]["senders"] == [{"name": "Ada", "address": "ada@here.test"}]
    assert message["message"]["date"] == "2026-11-24T09:29:00.000000Z"
    assert message["filename"] == "\\u202egnp.eml"
    assert [part["section"] for part in message["parts"]] == ["3.1"]
    codes = [defect["code"] for defect in answer["defects"]]
    assert codes == (await world.ask("GET", path, ada)).json["defects"]


async def test_a_message_without_a_tree_says_so(world: World, ada: Customer) -> None:
    path = await delivered(world, ada)
    await set_structure(world, None)
    answer = await world.ask("GET", f"{path}/structure", ada)
    assert answer.json["root"] is None
    (attachment,) = (await world.ask("GET", path, ada)).json["attachments"]
    assert (attachment["original_filename"], attachment["inline"]) == ("", False)


async def test_a_tree_of_the_greatest_depth(world: World, ada: Customer) -> None:
    path = await delivered(world, ada)
    await set_structure(world, deep(50))
    part = (await world.ask("GET", f"{path}/structure", ada)).json["root"]
    for _ in range(50):
        (part,) = part["parts"]
    assert part["section"].count("1") == 50


@pytest.mark.parametrize(
    ("headers", "addresses", "ambiguous"),
    [
        (b'From: "a@good.test" <x@evil.test>', ["x@evil.test"], False),
        (b"From: Sue <sue@a.test>, Tom <tom@b.test>", ["sue@a.test", "tom@b.test"], True),
        (b"From: Undisclosed: ;", None, True),
        (b"From:", [], True),
        (b"Subject: nobody", [], True),
    ],
    ids=["a name that is an address", "two", "an empty group", "empty", "none"],
)
async def test_attack_045_every_sender_is_named(
    world: World, ada: Customer, headers: bytes, addresses: list[str] | None, *, ambiguous: bool
) -> None:
    path = await delivered(world, ada, headers + b"\r\n\r\n")
    message = (await world.ask("GET", path, ada)).json
    if addresses is not None:
        assert [sender["address"] for sender in message["senders"]] == addresses
    assert message["ambiguous"] is ambiguous
    assert message["from"] == (message["senders"] or [{"name": "", "address": ""}])[0]


async def test_attack_058_every_name_is_saved_as_what_it_is_shown_to_be(world: World, ada: Customer) -> None:
    path = await delivered(world, ada, mail_with_hostile_names())
    attachments = (await world.ask("GET", path, ada)).json["attachments"]
    assert [attachment["filename"] for attachment in attachments] == [name.saved for name in SENDABLE_NAMES]
    for name, attachment in zip(SENDABLE_NAMES, attachments, strict=True):
        sent = name.seen.strip()
        assert attachment["original_filename"] == (sent if sent != name.saved else "")
        download = await world.ask("GET", f"{path}/attachments/{attachment['id']}", ada)
        assert download.status == 200
        kept = download.headers["Content-Disposition"].rpartition("''")[2]
        assert unquote(kept) == attachment["filename"]


@pytest.mark.parametrize(
    "declared",
    [
        b"text/html\r\n Set-Cookie: a=b",
        b"text/html\rSet-Cookie: a=b",
        b"text/html\0",
        b"=?utf-8?q?text/html=0D=0ASet-Cookie:_a=3Db?=/x",
        b'text/html; charset="\r\n\tutf-8\r\n Set-Cookie: a=b"',
    ],
)
async def test_attack_060_a_type_that_would_be_a_header_is_none(world: World, ada: Customer, declared: bytes) -> None:
    disposition = b"Content-Disposition: attachment; filename"
    path = await delivered(world, ada, MAIL.replace(disposition, b"Content-Type: " + declared + b"\r\n" + disposition))
    (attachment,) = (await world.ask("GET", path, ada)).json["attachments"]
    download = await world.ask("GET", f"{path}/attachments/{attachment['id']}", ada)
    assert (download.status, download.body) == (200, b"file")
    assert download.headers["Content-Type"] in {"application/octet-stream", "text/plain"}
    assert download.headers["Content-Disposition"].startswith("attachment; ")
    assert "Set-Cookie" not in download.headers


async def test_attack_061_all_attachments_need_their_owner(world: World, ada: Customer, bob: Customer) -> None:
    path = await delivered(world, ada)
    view = f"{path}/attachments.zip"
    download = await world.ask("GET", view, ada)
    with ZipFile(io.BytesIO(download.body)) as archive:
        assert (archive.namelist(), archive.read("a.bin")) == (["a.bin"], b"file")
    assert download.headers["Content-Type"] == "application/zip"
    assert download.headers["Content-Disposition"].startswith("attachment; ")
    assert download.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert (await world.ask("GET", view)).is_problem(401, "not-authenticated")
    assert (await world.ask("GET", view, bob)).is_problem(404, "not-found")
    await world.ask("POST", "/api/v1/auth/logout", ada)
    assert (await world.ask("GET", view, ada)).is_problem(401, "not-authenticated")


FILE_BYTES = 25_000_000


def large_mail() -> bytes:
    head = MAIL.partition(b"--m\r\n")[0]
    # Half of it compresses to nearly nothing, as mail of an attacker would.
    content = os.urandom(FILE_BYTES // 2) + b"x" * (FILE_BYTES // 2)
    part = b"Content-Transfer-Encoding: binary\r\nContent-Disposition: attachment; filename=large.bin\r\n\r\n"
    return head + b"--m\r\n" + part + content + b"\r\n--m--\r\n"


def open_blobs() -> list[str]:
    targets = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the one that lists them is closed again
            targets.append(str(descriptor.readlink()))
    return [target for target in targets if "/blobs/" in target]


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def bytes_of(world: World, path: str, customer: Customer, *, stop_after: int | None = None) -> int:
    """How many bytes come, none of which is kept; leaves without a word after `stop_after`."""
    count = 0
    headers = {"Authorization": f"Bearer {customer.token}", "Range": "bytes=100-200"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:
        response = await client.get(f"{world.url}{path}", headers=headers)
        assert (response.status, response.headers["Accept-Ranges"]) == (200, "none")
        async for chunk in response.content.iter_any():
            count += len(chunk)
            if stop_after is not None and count >= stop_after:
                response.close()
                break
    return count


async def test_attack_062_ten_downloads_at_once_and_clients_that_leave(
    world: World, ada: Customer, caplog: pytest.LogCaptureFixture, report_measured: Callable[[str], None]
) -> None:
    path = await delivered(world, ada, large_mail())
    (attachment,) = (await world.ask("GET", path, ada)).json["attachments"]
    views = [f"{path}/attachments/{attachment['id']}", f"{path}/attachments.zip", f"{path}/source"]
    sizes = [int((await world.ask("HEAD", view, ada)).headers["Content-Length"]) for view in views]
    assert sizes[0] == FILE_BYTES
    assert open_blobs() == []
    before = resident_bytes()
    for view, size in zip(views, sizes, strict=True):
        whole = await asyncio.gather(*(bytes_of(world, view, ada) for _ in range(10)))
        assert whole == [size] * 10
        await asyncio.gather(*(bytes_of(world, view, ada, stop_after=1_000_000) for _ in range(10)))
    for _ in range(50):
        if not open_blobs():
            break
        await asyncio.sleep(0.1)
    assert open_blobs() == []
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []
    grown = resident_bytes() - before
    report_measured(f"10 downloads of 25 MB at once, thrice: {grown / 1e6:.0f} MB more in memory")
    # Ten clients and ten servers in this one process: whole files would be 250 MB and more.
    assert grown < 100_000_000
