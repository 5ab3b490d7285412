"""GET /account/export: everything that the account holds, in one archive that ordinary programs read."""

from __future__ import annotations

import asyncio
import io
import json
import mailbox
import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import aiohttp
import pytest
from sqlalchemy import update

from api.world import PASSWORD, POLICY, Answer, Customer, World, open_world, settings_in
from hostile_names import SENDABLE_NAMES, mail_with_hostile_names
from mailkeep.domain.clock import utc_now
from mailkeep.domain.message import Transport
from mailkeep.domain.refusal import Refusal
from mailkeep.domain.scope import Scope
from mailkeep.mail.filenames import unique_names
from mailkeep.services.ingest import AcceptedRecipient, Incoming
from mailkeep.storage.schema import attachments, contents

EXPORT = "/api/v1/account/export"
SOURCES = [
    b"Subject: plain\r\n\r\nhello\r\n",
    b"Subject: escaped\r\n\r\nFrom me\r\n>From you\r\n>>From them\r\nFrom\r\n\r\n\r\n",
    b"From nobody@example.org Tue Nov 24 09:30:00 2026\r\nSubject: an mbox line first\r\n\r\nx\r\n",
    b"\xff\xfe\x00\r\n\r\n\x00\r\n",
    b"\r\n",
    mail_with_hostile_names(),
]


@pytest.fixture
async def world(tmp_path: Path, database_url: str) -> AsyncIterator[World]:
    async with open_world(settings_in(tmp_path / "data", database={"url": database_url})) as opened:
        yield opened


def archive_in(answer: Answer) -> ZipFile:
    assert answer.status == 200, answer
    assert answer.headers["Content-Type"] == "application/zip"
    assert answer.headers["Content-Disposition"].startswith("attachment; ")
    archive = ZipFile(io.BytesIO(answer.body))
    assert archive.testzip() is None
    return archive


def sources_in(archive: ZipFile, directory: Path) -> list[bytes]:
    with closing(mailbox.mbox(archive.extract("mailbox.mbox", directory))) as box:
        read = [box.get_bytes(key) for key in box.iterkeys()]
    return [re.sub(rb"^>(>*From )", rb"\1", message, flags=re.MULTILINE) for message in read]


def lines_in(archive: ZipFile, name: str) -> list[Any]:
    return [json.loads(line) for line in archive.read(name).splitlines()]


async def test_all_of_it_is_in_the_archive(world: World, ada: Customer, bob: Customer, tmp_path: Path) -> None:
    for source in SOURCES:
        await world.deliver(source, ada, mail_from="" if source == b"\r\n" else "a b@example.org")
    await world.deliver(b"Subject: not hers\r\n\r\nbobsmail\r\n", bob)
    now = utc_now()
    refusal = Refusal(ada.address_id, 552, "5.3.4", "too large", "s@x.test", ada.address, "192.0.2.1", "x", now, now)
    await world.core.refusals.record(POLICY, [refusal])
    await world.ask("PATCH", f"/api/v1/addresses/{ada.address_id}", ada, json={"label": "=cmd()"})
    made, _ = await world.core.tokens.create(await world.core.sessions.actor(ada.token), "ci", {Scope.MESSAGES_READ})
    await world.core.trail.flush()

    archive = archive_in(await world.ask("GET", EXPORT, ada))
    assert sources_in(archive, tmp_path) == SOURCES
    assert json.loads(archive.read("account.json"))["id"] == ada.account_id
    [user] = json.loads(archive.read("users.json"))
    assert set(user) == {"id", "email", "role", "created_at"}
    [address] = json.loads(archive.read("addresses.json"))
    assert (address["address"], address["label"]) == (ada.address, "=cmd()")
    assert len(json.loads(archive.read("sessions.json"))) >= 1
    [token] = json.loads(archive.read("tokens.json"))
    assert (token["name"], token["scopes"], made.startswith(f"mk_{token['id']}_")) == ("ci", ["messages:read"], True)
    assert not {"salt", "secret_hash", "previous_hash"} & set(token)
    assert [line["reason"] for line in lines_in(archive, "refusals.jsonl")] == ["too large"]
    assert {"account.register", "address.update"} <= {line["action"] for line in lines_in(archive, "audit.jsonl")}
    for item in (await world.ask("GET", "/api/v1/messages", ada)).json["items"]:
        shown = (await world.ask("GET", f"/api/v1/messages/{item['id']}", ada)).json
        assert json.loads(archive.read(f"messages/{item['seq']}.json")) == shown
    names = unique_names(name.saved for name in SENDABLE_NAMES)
    found = [name for name in archive.namelist() if name.startswith("attachments/")]
    assert found == [f"attachments/{len(SOURCES)}/{name}" for name in names]
    assert [archive.read(name) for name in found] == [str(number).encode() for number in range(len(found))]
    archive.extractall(tmp_path / "out")
    assert sum(len(files) for _, _, files in os.walk(tmp_path / "out")) == len(archive.namelist())
    everything = b"".join(archive.read(name) for name in archive.namelist())
    for foreign in (
        made.removeprefix(f"mk_{token['id']}_").encode(),
        b"bobsmail",
        bob.address.encode(),
        b"argon2",
        bob.account_id.encode(),
    ):
        assert foreign not in everything

    await world.core.trail.flush()
    [record] = (await world.ask("GET", "/api/v1/audit?action=account.export", ada)).json["items"]
    assert record["outcome"] == "done"


async def test_what_a_scanner_found_is_left_out_and_named(world: World, ada: Customer, tmp_path: Path) -> None:
    for source in (SOURCES[0], mail_with_hostile_names()):
        await world.deliver(source, ada)
    async with world.core.database.write() as connection:
        await connection.execute(
            update(contents).where(contents.c.size_bytes == len(SOURCES[0])).values(malware="Eicar-\u202eSignature")
        )
        bad = update(attachments).where(attachments.c.filename == "report.pdf")
        await connection.execute(bad.values(malware="Eicar"))
    archive = archive_in(await world.ask("GET", EXPORT, ada))
    assert sources_in(archive, tmp_path) == [mail_with_hostile_names()]
    assert "attachments/2/report.pdf" not in archive.namelist()
    assert archive.read("NOT-INCLUDED.txt").decode().splitlines() == [
        "mailbox.mbox, message 1: a scanner found Eicar-\\u202eSignature in it",
        "attachments/2/report.pdf: a scanner found Eicar in it",
    ]


async def test_in_parts(world: World, ada: Customer, tmp_path: Path) -> None:
    for number in range(5):
        await world.deliver(b"Subject: %d\r\n\r\n" % number, ada)
    await world.ask("DELETE", f"/api/v1/messages/{await _id_of(world, ada, 2)}", ada)
    path: str | None = f"{EXPORT}?limit=2"
    parts: list[list[bytes]] = []
    while path is not None:
        answer = await world.ask("GET", path, ada)
        parts.append(sources_in(archive_in(answer), tmp_path / str(len(parts))))
        link = answer.headers.get("Link")
        path = link.partition(">")[0][1:] if link is not None else None
    assert parts == [[b"Subject: %d\r\n\r\n" % n for n in part] for part in ((0, 2), (3, 4))]
    for query in ("after=-1", "after=x", "limit=0", "limit=1000000", "from=1"):
        assert (await world.ask("GET", f"{EXPORT}?{query}", ada)).is_problem(422, "invalid-input")
    empty = archive_in(await world.ask("GET", f"{EXPORT}?after=99", ada))
    assert empty.read("mailbox.mbox") == b""


async def _id_of(world: World, customer: Customer, seq: int) -> str:
    items = (await world.ask("GET", "/api/v1/messages", customer)).json["items"]
    return str(next(item["id"] for item in items if item["seq"] == seq))


async def test_one_at_a_time_and_for_owners_alone(
    world: World, ada: Customer, bob: Customer, policy_token: str
) -> None:
    actor = await world.core.sessions.actor(ada.token)
    with world.core.export.turn(actor):
        answer = await world.ask("GET", EXPORT, ada)
        assert answer.is_problem(429, "rate-exceeded")
        assert answer.headers["Retry-After"] == "60"
        assert (await world.ask("GET", EXPORT, bob)).status == 200
    assert (await world.ask("GET", EXPORT, ada)).status == 200
    assert (await world.ask("HEAD", EXPORT, ada)).body == b""
    assert (await world.ask("GET", EXPORT, policy_token)).is_problem(403, "not-allowed")
    assert (await world.ask("GET", EXPORT)).is_problem(401, "not-authenticated")


@asynccontextmanager
async def begun(world: World, ada: Customer) -> AsyncIterator[aiohttp.ClientResponse]:
    """An export of which so much is still to come that the server waits for its client."""
    for _ in range(40):
        await world.deliver(b"Subject: large\r\n\r\n" + os.urandom(300_000).hex().encode() + b"\r\n", ada)
    headers = {"Authorization": f"Bearer {ada.token}"}
    async with world.client.get(f"{world.url}{EXPORT}", headers=headers) as response:
        await response.content.readexactly(1)
        yield response


async def test_what_is_deleted_meanwhile_is_named(world: World, ada: Customer) -> None:
    async with begun(world, ada) as response:
        seqs = [39, 40]
        for seq in seqs:
            await world.ask("DELETE", f"/api/v1/messages/{await _id_of(world, ada, seq)}", ada)
        archive = ZipFile(io.BytesIO(b"\0" + await response.read()))
        left_out = archive.read("NOT-INCLUDED.txt").decode()
        assert left_out.count("deleted while the archive was written") >= 2
        assert "messages/38.json" in archive.namelist()
        assert "messages/40.json" not in archive.namelist()


async def test_an_account_that_is_deleted_meanwhile_breaks_it_off(world: World, ada: Customer) -> None:
    async with begun(world, ada) as response:
        deleted = await world.ask("DELETE", "/api/v1/account", ada, json={"password": PASSWORD})
        assert deleted.status == 200
        await world.core.purge.work_off()
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


async def test_what_cannot_be_read_is_no_archive(world: World, ada: Customer) -> None:
    await world.deliver(SOURCES[0], ada)
    [blob] = world.core.settings.blob_dir.rglob("*.zst")
    blob.unlink()
    assert (await world.ask("GET", EXPORT, ada)).is_problem(503, "unavailable")


@pytest.mark.timeout(3_600)
async def test_memory_is_flat(
    world: World, ada: Customer, report_measured: Callable[[str], None], *, full_size: bool
) -> None:
    """Export and deletion of a large account; the process does not grow with it."""
    count = 50_000 if full_size else 400
    await _fill(world, ada, count)
    loop, headers = asyncio.get_running_loop(), {"Authorization": f"Bearer {ada.token}"}
    before, highest, size, began = rss_bytes(), 0, 0, loop.time()
    async with world.client.get(f"{world.url}{EXPORT}", headers=headers, timeout=aiohttp.ClientTimeout(None)) as answer:
        assert answer.status == 200
        async for chunk in answer.content.iter_any():
            size += len(chunk)
            highest = max(highest, rss_bytes())
    exported, began = loop.time() - began, loop.time()
    growth = highest - before
    assert (await world.ask("DELETE", "/api/v1/account", ada, json={"password": PASSWORD})).status == 200
    answered, before, highest = loop.time() - began, rss_bytes(), 0

    def look(_: int) -> None:
        nonlocal highest
        highest = max(highest, rss_bytes())

    purged = await world.core.purge.work_off(look)
    assert purged.messages == count
    emptied = loop.time() - began
    assert not [path for path in world.core.settings.blob_dir.rglob("*") if path.is_file()]
    report_measured(
        f"{count} messages: exported in {exported:.1f} s, {size / 1e6:.0f} MB, memory +{growth / 1e6:.0f} MB; "
        f"deleted in {answered:.2f} s, emptied in {emptied:.1f} s, memory +{(highest - before) / 1e6:.0f} MB"
    )
    assert growth < 60e6
    assert highest - before < 60e6


async def _fill(world: World, customer: Customer, count: int) -> None:
    """Every tenth message with a file of 30 kB."""
    recipient = await world.recipient(customer.address)
    accepted = (AcceptedRecipient(customer.address, None, recipient),)

    async def deliver(number: int) -> None:
        body = b"Subject: %d\r\n\r\n%s" % (number, b"a line of the message\r\n" * 50)
        if number % 10 == 0:
            file = b"Content-Type: application/octet-stream; name=a.bin\r\n\r\n" + b"%d" % number * 5_000
            body = b"Subject: %d\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n%s\r\n--b--\r\n" % (
                number,
                file,
            )
        async with world.core.ingest.begin(Incoming("s@example.org", accepted, Transport())) as delivery:
            await delivery.feed(body)
            assert await delivery.finish() == [None]

    for start in range(0, count, 100):
        await asyncio.gather(*(deliver(number) for number in range(start, min(start + 100, count))))


def rss_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
