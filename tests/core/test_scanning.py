"""Mail scanned by a real clamd: what is found and where, and that nothing is stored unscanned."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from core.conftest import Customer, deliver, new_customer, settings_for
from mailkeep.bootstrap import Core, open_core
from mailkeep.domain.message import MessageDetail, Transport
from mailkeep.errors import Infected, NotAllowed, NotFound, Quarantined, ScannerUnavailable, StorageUnavailable
from mailkeep.mail.scan_probes import EICAR
from mailkeep.services.ingest import AcceptedRecipient, Incoming
from mailkeep.storage.upgrade import upgrade_schema
from services.clamd import FOUND, Clamd, running_clamd
from services.infected import ATTACHED, CLEAN, HEAD, HTML, INFECTED, INNER, NESTED, TEXT, encoded, file, multipart
from services.required import required


@asynccontextmanager
async def scanning(directory: Path, server: Clamd, **settings: Any) -> AsyncIterator[tuple[Core, Customer]]:
    """A core that scans; quarantine unless it is said otherwise."""
    section = {"mode": "quarantine", "clamd": server.place, "timeout_s": 20, **settings}
    scan_settings = settings_for(directory, scan=section)
    await upgrade_schema(scan_settings)
    async with open_core(scan_settings) as core:
        yield core, await new_customer(core, "alice@customer.test")


async def only(customer: Customer) -> MessageDetail:
    [summary] = await customer.messages()
    return await customer.core.inbox.read(customer.actor, summary.id)


def files_of(core: Core) -> list[Path]:
    return [path for path in core.settings.blob_dir.rglob("*") if path.is_file()]


@pytest.mark.parametrize("where", INFECTED)
async def test_found_and_quarantined(where: str, clamd: Clamd, tmp_path: Path) -> None:
    async with scanning(tmp_path, clamd) as (core, alice):
        assert await deliver(core, INFECTED[where], alice.recipient()) == [None]
        detail = await only(alice)
        assert (detail.malware, detail.is_quarantined) == (FOUND, True)
        with pytest.raises(Quarantined):
            await core.inbox.source(alice.actor, detail.summary.id)
        with pytest.raises((Quarantined, NotFound)):
            core.inbox.html_as_received(detail)
        for attachment in detail.attachments:
            assert attachment.is_quarantined == (attachment.filename in {"bad.com", "message.eml"})


@pytest.mark.parametrize("where", INFECTED)
async def test_found_and_refused(where: str, clamd: Clamd, tmp_path: Path) -> None:
    async with scanning(tmp_path, clamd, mode="reject") as (core, alice):
        outcomes = await deliver(core, INFECTED[where], alice.recipient(), alice.recipient())
        assert [type(outcome) for outcome in outcomes] == [Infected, Infected]
        assert await alice.messages() == []
        assert files_of(core) == []


async def test_the_infected_attachment_is_blocked_and_the_other_is_not(clamd: Clamd, tmp_path: Path) -> None:
    async with scanning(tmp_path, clamd) as (core, alice):
        await deliver(core, ATTACHED, alice.recipient())
        detail = await only(alice)
        bad, good = detail.attachments
        assert (bad.malware, good.malware) == (FOUND, "")
        with pytest.raises(NotAllowed):
            await core.inbox.attachment(alice.actor, detail.summary.id, bad.id)
        download = await core.inbox.attachment(alice.actor, detail.summary.id, good.id)
        assert b"".join([chunk async for chunk in download.chunks]) == b"harmless"
        assert detail.text is not None
        assert "See the file." in detail.text
        assert "See the" in (await core.inbox.safe_html(detail)).html
        with pytest.raises(Quarantined):
            core.inbox.html_as_received(detail)


async def test_clean_mail_is_as_without_a_scanner(clamd: Clamd, tmp_path: Path) -> None:
    async with scanning(tmp_path, clamd, clamd=clamd.unix_place) as (core, alice):
        sent = [CLEAN, HEAD + multipart(TEXT, HTML, file("good.txt", b"harmless")), b""]
        for mail in sent:
            assert await deliver(core, mail, alice.recipient()) == [None]
        for summary, mail in zip(await alice.messages(), sent, strict=True):
            detail = await core.inbox.read(alice.actor, summary.id)
            assert not detail.is_quarantined
            assert not any(attachment.is_quarantined for attachment in detail.attachments)
            assert await alice.source(summary) == mail


def with_bytes_at(place: int, magic: bytes) -> bytes:
    """A Received field as a mail server writes it, and a header of the sender's that reaches so far."""
    head = b"Received: from client.test by mx.test with ESMTP id 4XyZ1234\r\nX-Filler: "
    return head + b"y" * (place - len(head)) + magic + b"\r\n"


@pytest.mark.parametrize(
    "head",
    [
        *(b"MZ: x\r\n", b"PK\x03\x04: x\r\n", b"%PDF-1.7: x\r\n", b"\x7fELF: x\r\n"),
        *(with_bytes_at(257, b"ustar"), with_bytes_at(512, b"EFI PART"), with_bytes_at(1024, b"H+\x00\x04")),
    ],
    ids=["program", "zip", "PDF", "ELF", "tar", "GPT", "HFS+"],
)
@pytest.mark.parametrize("where", INFECTED)
async def test_a_mail_that_begins_like_something_else(head: bytes, where: str, clamd: Clamd, tmp_path: Path) -> None:
    """clamd goes by bytes at certain places: it would look for a program or an archive, and take no mail apart."""
    async with scanning(tmp_path, clamd) as (core, alice):
        assert await deliver(core, head + INFECTED[where], alice.recipient()) == [None]
        assert (await only(alice)).malware == FOUND


async def test_an_attached_message_that_begins_like_something_else(clamd: Clamd, tmp_path: Path) -> None:
    nested = multipart(TEXT, b"Content-Type: message/rfc822\r\n\r\n" + with_bytes_at(257, b"ustar") + INNER)
    async with scanning(tmp_path, clamd) as (core, alice):
        await deliver(core, HEAD + nested, alice.recipient())
        detail = await only(alice)
        assert all(attachment.malware == FOUND for attachment in detail.attachments)


async def test_a_mail_that_is_not_taken_apart_is_scanned_all_the_same(clamd: Clamd, tmp_path: Path) -> None:
    async with scanning(tmp_path, clamd) as (core, alice):
        recipient = AcceptedRecipient(alice.address.address, None, alice.recipient())
        async with core.ingest.begin(Incoming("", (recipient,), Transport())) as delivery:
            delivery._parser.skip()
            await delivery.feed(NESTED)
            assert await delivery.finish() == [None]
        detail = await only(alice)
        assert (detail.malware, detail.defects, detail.attachments) == (FOUND, ("parse_skipped",), ())


async def test_malware_at_the_end_of_much_that_compresses(clamd: Clamd, tmp_path: Path) -> None:
    """The source fits into memory as long as it is compressed; it is sent on in pieces."""
    async with scanning(tmp_path, clamd) as (core, alice):
        await deliver(core, HEAD + b"\r\n" + b"x" * 30_000_000 + EICAR, alice.recipient())
        assert (await only(alice)).malware == FOUND


async def test_no_clamd_no_mail(own_clamd: Clamd, tmp_path: Path) -> None:
    async with scanning(tmp_path, own_clamd) as (core, alice):
        own_clamd.daemon.stop()
        for place in (CLEAN, ATTACHED):
            outcomes = await deliver(core, place, alice.recipient(), alice.recipient())
            assert [type(outcome) for outcome in outcomes] == [ScannerUnavailable] * 2
        assert (await alice.messages(), files_of(core)) == ([], [])
        own_clamd.start()
        assert await deliver(core, CLEAN, alice.recipient()) == [None]


async def test_a_clamd_that_hangs_is_waited_for_so_long_and_no_longer(own_clamd: Clamd, tmp_path: Path) -> None:
    """Also by those who wait for their turn, and by a mail that fills every buffer on the way."""
    large = HEAD + multipart(TEXT, file("noise.bin", os.urandom(6_000_000)))
    async with scanning(tmp_path, own_clamd, timeout_s=2, max_parallel=2) as (core, alice):
        own_clamd.daemon.send_signal(signal.SIGSTOP)
        started = time.monotonic()
        work = [deliver(core, mail, alice.recipient()) for mail in (large, CLEAN, CLEAN, CLEAN, CLEAN)]
        outcomes = await asyncio.gather(*work)
        assert time.monotonic() - started < 10
        assert [[type(outcome) for outcome in one] for one in outcomes] == [[ScannerUnavailable]] * 5
        own_clamd.daemon.send_signal(signal.SIGCONT)
        assert (await alice.messages(), files_of(core)) == ([], [])
        assert await deliver(core, ATTACHED, alice.recipient()) == [None]


async def test_no_more_at_once_than_is_set(own_clamd: Clamd, tmp_path: Path) -> None:
    async with scanning(tmp_path, own_clamd, timeout_s=60, max_parallel=3) as (core, alice):
        own_clamd.daemon.send_signal(signal.SIGSTOP)
        work = [asyncio.create_task(deliver(core, CLEAN, alice.recipient())) for _ in range(10)]
        for _ in range(100):
            if connections_to(own_clamd.port) == 3:
                break
            await asyncio.sleep(0.1)
        await asyncio.sleep(0.3)
        assert connections_to(own_clamd.port) == 3
        own_clamd.daemon.send_signal(signal.SIGCONT)
        assert await asyncio.gather(*work) == [[None]] * 10


def connections_to(port: int) -> int:
    """How many connections of ours there are to a port of the loopback interface (proc(5), /proc/net/tcp)."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(remote.endswith(f":{port:04X}") and state == "01" for _, _, remote, state, *_ in rows)


async def test_what_clamd_does_not_take_is_not_called_clean(tmp_path: Path) -> None:
    with ExitStack() as stack:
        small = required(stack, running_clamd(StreamMaxLength="1M"))
        async with scanning(tmp_path, small) as (core, alice):
            large = HEAD + multipart(TEXT, file("noise.bin", os.urandom(6_000_000)))
            with capture_logs() as logs:
                [outcome] = await deliver(core, large, alice.recipient())
            assert isinstance(outcome, ScannerUnavailable)
            assert [entry for entry in logs if entry["event"] == "scan.failed"] == [
                {
                    "event": "scan.failed",
                    "log_level": "warning",
                    "reason": "clamd said: INSTREAM size limit exceeded. ERROR",
                }
            ]
            assert (await alice.messages(), files_of(core)) == ([], [])
            assert await deliver(core, CLEAN, alice.recipient()) == [None]


def nested(depth: int) -> bytes:
    """The infected message, within so many others."""
    return (HEAD + b"Content-Type: message/rfc822\r\n\r\n") * depth + INNER


@pytest.mark.parametrize(("mode", "outcome"), [("quarantine", type(None)), ("reject", Infected)])
async def test_what_lies_deeper_than_clamd_looks_is_a_finding(mode: str, outcome: type, tmp_path: Path) -> None:
    """With AlertExceedsMax, which `mailkeep scan check` asks for: without, clamd calls it clean."""
    with ExitStack() as stack:
        strict = required(stack, running_clamd(AlertExceedsMax="yes"))
        async with scanning(tmp_path, strict, mode=mode) as (core, alice):
            for depth in (10, 40, 90):
                assert [type(found) for found in await deliver(core, nested(depth), alice.recipient())] == [outcome]
            for summary in await alice.messages():
                detail = await core.inbox.read(alice.actor, summary.id)
                assert detail.is_quarantined
                assert all(attachment.is_quarantined for attachment in detail.attachments)


async def test_a_disk_that_cannot_be_read_is_no_scan(
    clamd: Clamd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    large = HEAD + b"\r\n" + encoded(os.urandom(300_000))
    async with scanning(tmp_path, clamd) as (core, alice):
        with monkeypatch.context() as patch:
            patch.setattr(Path, "open", broken)
            [outcome] = await deliver(core, large, alice.recipient())
        assert isinstance(outcome, StorageUnavailable)
        assert (await alice.messages(), files_of(core)) == ([], [])
        assert await deliver(core, large, alice.recipient()) == [None]


async def test_a_session_that_ends_while_its_mail_is_scanned(own_clamd: Clamd, tmp_path: Path) -> None:
    """Nothing of it stays, neither the mail nor its place among those that are scanned."""
    large = HEAD + multipart(TEXT, file("noise.bin", os.urandom(2_000_000)))
    async with scanning(tmp_path, own_clamd, max_parallel=1) as (core, alice):
        own_clamd.daemon.send_signal(signal.SIGSTOP)
        for _ in range(3):
            task = asyncio.create_task(deliver(core, large, alice.recipient()))
            await asyncio.sleep(0.5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        own_clamd.daemon.send_signal(signal.SIGCONT)
        assert files_of(core) == []
        assert await deliver(core, CLEAN, alice.recipient()) == [None]
